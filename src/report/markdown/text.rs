//! Texts from outside in Markdown that GitHub renders. A code span is the one place in which
//! GitHub makes nothing of a text: no HTML, no link, no mention, no reference to an issue, no
//! formula. So every word that could become something else goes into one.

use crate::report::text::{escape, shorten};

/// A text as a code span, of at most `limit` characters.
pub(super) fn code(text: &str, limit: usize) -> String {
    let escaped = escape(text);
    // A row would end at a bar, a span at a backtick: no parser agrees with another on how they
    // are escaped in a span in a table.
    let mut safe = escaped.replace('|', "\\u{7c}").replace('`', "\\u{60}");
    // A span loses blanks at its ends.
    if safe.starts_with(' ') {
        safe.replace_range(..1, "\\u{20}");
    }
    if safe.ends_with(' ') {
        safe.replace_range(safe.len() - 1.., "\\u{20}");
    }
    if safe.is_empty() {
        return "(empty)".to_owned();
    }
    format!("`{}`", shorten(&safe, limit))
}

/// A sentence of at most `limit` characters, in which what stands between backticks and every
/// word that is more than a word or a number is a code span.
pub(super) fn prose(text: &str, limit: usize) -> String {
    let escaped = escape(text);
    let mut rest: &str = &shorten(&escaped, limit);
    let mut safe = String::new();
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = rest.trim_start();
            if !safe.is_empty() && !rest.is_empty() {
                safe.push(' ');
            }
            continue;
        }
        if let Some((quoted, after)) = rest.strip_prefix('`').and_then(|at| at.split_once('`')) {
            span(&mut safe, quoted);
            rest = after;
            continue;
        }
        // A backtick that nothing closes is part of its word.
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| c.is_whitespace() || *c == '`')
            .map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        let core = word.trim_start_matches(['(', '"', '\'']);
        let (before, core) = word.split_at(word.len() - core.len());
        let tail = core.trim_end_matches([')', '"', '\'', ',', ';', ':', '.', '?', '!', '…']);
        let (core, behind) = core.split_at(tail.len());
        push(&mut safe, before, core, behind);
        rest = after;
    }
    safe
}

/// A word with the punctuation around it.
fn push(safe: &mut String, before: &str, core: &str, behind: &str) {
    if is_plain(core) {
        safe.extend([before, core, behind]);
        return;
    }
    safe.push_str(before);
    span(safe, core);
    safe.push_str(behind);
}

fn span(safe: &mut String, text: &str) {
    // Two spans that touch are one, with backticks in it.
    if safe.ends_with('`') {
        safe.push(' ');
    }
    safe.push_str(&code(text, usize::MAX));
}

/// A number, or letters with hyphens between them: nothing in it that Markdown or GitHub reads as
/// more. Letters and digits together may name an issue or a commit.
fn is_plain(word: &str) -> bool {
    let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let letters = |part: &str| !part.is_empty() && part.chars().all(char::is_alphabetic);
    number || word.split(['-', '\'']).all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_ends_where_it_should() {
        let table = [
            ("orders-prod", "`orders-prod`"),
            ("", "(empty)"),
            ("a`b``c", "`a\\u{60}b\\u{60}\\u{60}c`"),
            ("a|b\\|c\\", "`a\\u{7c}b\\\\u{7c}c\\`"),
            (" a b ", "`\\u{20}a b\\u{20}`"),
            (" ", "`\\u{20}`"),
            ("<script>", "`<script>`"),
            ("two\nlines", "`two\\u{a}lines`"),
            ("Größe 東京 🔑", "`Größe 東京 🔑`"),
        ];
        for (text, expected) in table {
            assert_eq!(code(text, 100), expected);
        }
        assert_eq!(code("0123456789", 7), "`01…6789`");
    }

    #[test]
    fn only_words_stay_words() {
        let table = [
            ("its key is destroyed", "its key is destroyed"),
            (
                "a key-id (12 of them): don't, it's \"so\".",
                "a key-id (12 of them): don't, it's \"so\".",
            ),
            (
                "cancel before 2026-11-20T09:30:00Z",
                "cancel before `2026-11-20T09:30:00Z`",
            ),
            (
                "cluster `my orders` has none",
                "cluster `my orders` has none",
            ),
            ("an open ` quote", "an open `\\u{60}` quote"),
            ("``", "(empty)"),
            ("`a``b`", "`a` `b`"),
            ("x@y`z`", "`x@y` `z`"),
            (
                "see https://evil.example/ now",
                "see `https://evil.example/` now",
            ),
            ("www.evil.example.", "`www.evil.example`."),
            ("@octocat and #12, GH-12", "`@octocat` and `#12`, `GH-12`"),
            ("a <b>bold</b> claim", "a `<b>bold</b>` claim"),
            ("[link](x) ![image](y)", "`[link](x`) `![image](y`)"),
            (
                "*a* _b_ ~c~ $d$ &lt; :tada:",
                "`*a*` `_b_` `~c~` `$d$` `&lt`; `:tada`:",
            ),
            ("a|b", "`a\\u{7c}b`"),
            ("- item", "`-` item"),
            ("two\n\n# lines", "`two\\u{a}\\u{a}#` lines"),
            ("\u{a0}wide\u{2003}blanks ", "wide blanks"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(prose(text, 100), expected);
        }
    }
}
