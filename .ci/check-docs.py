"""Checks what the documents link to, and the YAML in and beside them. Run by .ci/check-docs."""

import re
import sys
from pathlib import Path

import yaml

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Keys of a GitLab file that are no job.
GLOBAL = {"default", "include", "stages", "variables", "workflow"}

problems = []


class Loader(yaml.SafeLoader):
    """YAML as GitLab reads it: a key that stands twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"`{key}` stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))


def load(name, text):
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        problems.append(f"{name}: {error}")
        return None


def check_gitlab(name, document):
    """The jobs are of a stage that there is, and extend and need jobs that there are."""
    jobs = {job: body for job, body in document.items() if job not in GLOBAL}
    for job, body in jobs.items():
        extended = body.get("extends")
        for other in [*([extended] if extended else []), *body.get("needs", [])]:
            if other not in jobs:
                problems.append(f"{name}: `{job}` names `{other}`, and there is no such job")
        if job.startswith("."):
            continue
        if body.get("stage", jobs.get(extended, {}).get("stage")) not in document["stages"]:
            problems.append(f"{name}: `{job}` is of no stage")
        lines = body.get("script", [])
        if not lines or not all(isinstance(line, str) for line in lines):
            problems.append(f"{name}: the script of `{job}` is no list of commands")


def anchors(text):
    """The fragments under which GitHub shows the headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_links(document, text):
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        place = (document.parent / path).resolve() if path else document.resolve()
        if not place.exists():
            problems.append(f"{document}: there is no {target}")
        elif fragment and fragment not in anchors(place.read_text()):
            problems.append(f"{document}: {path} has no heading for #{fragment}")


documents = [*Path().glob("*.md"), *Path("docs").glob("*.md"), *Path("fixtures").glob("*/README.md")]
examples = sorted(Path("docs/examples").glob("*.yml"))
for document in sorted(documents):
    text = document.read_text()
    check_links(document, text)
    for indent, language, body in FENCE.findall(text):
        if language == "yaml":
            load(document, re.sub(f"^{indent}", "", body, flags=re.M))
for example in examples:
    content = load(example, example.read_text())
    if content and example.name.startswith("gitlab-"):
        check_gitlab(example, content)

for problem in problems:
    print(f"error: {problem}", file=sys.stderr)
print(f"{len(documents)} documents and {len(examples)} examples, {len(problems)} problems")
sys.exit(1 if problems else 0)
