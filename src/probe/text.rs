//! Foreign text on its way into an observation or a message: one short printable line without
//! secrets. Every provider's texts pass through here; nothing of a raw body does.

/// The longest detail, in characters.
pub(in crate::probe) const LONGEST: usize = 300;

/// Foreign text for a message: one line, printable, of bounded length, and without anything that
/// looks like an access key id, a secret key, a token or a signature.
pub(in crate::probe) fn redact(text: &str) -> String {
    // What lies far past the limit is not printed; the margin keeps a long secret in one piece.
    let near: String = text.chars().take(LONGEST * 8).collect();
    one_line(&without_web_tokens(&near), is_token_char, looks_secret)
}

/// The same where secrets look otherwise: of which characters a possible one is, and which is one.
pub(in crate::probe) fn one_line(
    text: &str,
    is_of_word: fn(char) -> bool,
    is_secret: fn(&str) -> bool,
) -> String {
    let mut line = String::new();
    let mut word = String::new();
    let push_word = |line: &mut String, word: &mut String| {
        line.push_str(if is_secret(word) { "[withheld]" } else { word });
        word.clear();
    };
    for c in text.chars().take(LONGEST * 8) {
        if is_of_word(c) {
            word.push(c);
            continue;
        }
        push_word(&mut line, &mut word);
        let shown = if is_unprintable(c) { ' ' } else { c };
        if !(shown == ' ' && line.ends_with(' ')) {
            line.push(shown);
        }
    }
    push_word(&mut line, &mut word);
    let line = line.trim();
    if line.chars().count() > LONGEST {
        let mut short: String = line.chars().take(LONGEST).collect();
        short.push('…');
        short
    } else {
        line.to_owned()
    }
}

/// Withholds what carries dots, dashes or tildes inside: a JSON web token (its first part always
/// begins with `eyJ`) and an Entra ID client secret (40 characters with a tilde among them).
fn without_web_tokens(text: &str) -> String {
    let in_token = |c: char| is_token_char(c) || matches!(c, '-' | '.' | '~');
    let mut clean = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(in_token) {
        let (before, run) = rest.split_at(start);
        let (run, after) = run.split_at(run.find(|c| !in_token(c)).unwrap_or(run.len()));
        clean.push_str(before);
        match run.find("eyJ") {
            Some(at) if run.len() - at >= 20 => {
                clean.push_str(&run[..at]);
                clean.push_str("[withheld]");
            }
            _ if run.len() >= 34 && run.contains('~') => clean.push_str("[withheld]"),
            Some(_) | None => clean.push_str(run),
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Spaces, control characters, and the invisible ones that turn the direction of writing.
fn is_unprintable(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Characters of base64, of hex and of AWS key ids: a run of them is one possible secret.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_')
}

/// 40 characters is a secret access key; signatures and tokens are longer. The longest public
/// word of a key ARN is the 32 hex digits of a multi-Region id.
fn looks_secret(word: &str) -> bool {
    word.len() >= 40
        || ["AKIA", "ASIA"].iter().any(|prefix| {
            word.match_indices(prefix).any(|(start, _)| {
                word[start..]
                    .chars()
                    .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
                    .count()
                    >= 16
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_one_short_line_without_secrets() {
        let secret = "Zx9".repeat(14);
        let table = [
            ("plain words".to_owned(), "plain words".to_owned()),
            (
                "two\nlines\r\n\tand \u{1b}[31mred".to_owned(),
                "two lines and [31mred".to_owned(),
            ),
            ("a\u{202e}b".to_owned(), "a b".to_owned()),
            (
                "bearer=eyJhbGciOi-J9.eyJh-dWQi.c2ln rejected".to_owned(),
                "bearer=[withheld] rejected".to_owned(),
            ),
            (
                "secret `Ab18Q~c2.d-4f_5g6h7i8j9k0l1m2n3o4p5q6r7s` is wrong".to_owned(),
                "secret `[withheld]` is wrong".to_owned(),
            ),
            (
                "https://payments.vault.azure.net eyJ".to_owned(),
                "https://payments.vault.azure.net eyJ".to_owned(),
            ),
            (format!("token {secret}!"), "token [withheld]!".to_owned()),
            (
                "by Credential=AKIAQQQQQQQQQQQQQQQQ/2026".to_owned(),
                "by [withheld]".to_owned(),
            ),
            (
                "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
                    .to_owned(),
                "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
                    .to_owned(),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(redact(&text), expected);
        }
        assert_eq!(redact(&"word ".repeat(500)).chars().count(), LONGEST + 1);
    }
}
