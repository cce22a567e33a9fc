//! Strings from outside, made harmless: the one home of the rules for terminals and for cells of
//! a spreadsheet.

use std::borrow::Cow;

/// Replaces what a terminal would obey or hide (control characters with ESC and the C1 set, line
/// and paragraph separators, bidirectional marks, other invisible format characters) by a visible
/// escape such as `\u{1b}`. A name can then neither rewrite the screen nor pass for another one.
///
/// Nor can a name give an order to the runner of GitHub Actions, which reads every line that is
/// printed: it obeys `::command` at the start of a line, which any word may come to stand at, and
/// `##[command]` anywhere.
pub fn escape(text: &str) -> Cow<'_, str> {
    let orders = text.contains("::") || text.contains(ORDER_WITHIN);
    if !orders && !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text.chars();
    let mut starts_word = true;
    while let Some(c) = rest.next() {
        let order = c == ':' && starts_word && rest.as_str().starts_with(':');
        if order || is_unsafe(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
        starts_word = c.is_whitespace();
    }
    if orders {
        safe = safe.replace(ORDER_WITHIN, "#\\u{23}[");
    }
    Cow::Owned(safe)
}

/// How an order to the runner begins that does not begin its line.
pub(super) const ORDER_WITHIN: &str = "##[";

/// Whether a character is never shown as it is.
///
/// The list is the Unicode categories Cc, Cf, Zl, Zp, the characters that
/// `Default_Ignorable_Code_Point` adds to them (DerivedCoreProperties.txt, Unicode 16), and the two
/// that XML 1.0 has no way to write.
pub(super) const fn is_unsafe(c: char) -> bool {
    // Nearly all text there is.
    if matches!(c, ' '..='~') {
        return false;
    }
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}'
        | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// An escaped text that no spreadsheet takes for a formula: a cell that starts with `=`, `+`, `-`
/// or `@` (or a full-width form of them, blanks aside) gets an apostrophe in front.
pub(super) fn cell(text: &str) -> Cow<'_, str> {
    let escaped = escape(text);
    let formula = escaped.trim_start().starts_with([
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    if formula {
        Cow::Owned(format!("'{escaped}"))
    } else {
        escaped
    }
}

/// Cuts the middle out of an escaped text so that at most `limit` characters are left. The end is
/// kept longer: keys of one account or ring differ there.
pub(super) fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= limit || limit < 3 {
        return Cow::Borrowed(text);
    }
    let head = (limit - 1) / 3;
    let tail = limit - 1 - head;
    let mut short: String = text.chars().take(head).collect();
    short.push('…');
    short.extend(text.chars().skip(length - tail));
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_gets_through() {
        let table = [
            ("orders-prod", "orders-prod"),
            ("Größe 東京 🔑", "Größe 東京 🔑"),
            ("C:\\dir", "C:\\dir"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{9b}2Jb", "a\\u{9b}2Jb"),
            ("line\r\nhint: forged", "line\\u{d}\\u{a}hint: forged"),
            ("tab\there", "tab\\u{9}here"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("bom\u{feff}", "bom\\u{feff}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("sep\u{2028}", "sep\\u{2028}"),
            ("isolate\u{2066}", "isolate\\u{2066}"),
            ("bell\u{7}del\u{7f}", "bell\\u{7}del\\u{7f}"),
            ("none\u{ffff}", "none\\u{ffff}"),
            ("###[add-mask]x", "##\\u{23}[add-mask]x"),
            ("# ## [x]", "# ## [x]"),
            ("::error::x", "\\u{3a}:error::x"),
            ("  ::error::x ::y", "  \\u{3a}:error::x \\u{3a}:y"),
            ("\n::error::x", "\\u{a}\\u{3a}:error::x"),
            (
                "arn:aws:iam::111122223333:role/x",
                "arn:aws:iam::111122223333:role/x",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(escape(text), expected);
            assert_eq!(
                escape(&escape(text)),
                expected,
                "escaping twice changes nothing"
            );
        }
        for c in ('\0'..=char::MAX).filter(|c| c.is_control()) {
            assert!(is_unsafe(c), "{c:?}");
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        let table = [
            ("orders", "orders"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("  =1", "'  =1"),
            ("\u{a0}=1", "'\u{a0}=1"),
            ("＝1", "'＝1"),
            ("\t=1", "\\u{9}=1"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn the_middle_goes_first() {
        let table = [
            ("short", 5, "short"),
            ("longer", 5, "l…ger"),
            ("0123456789", 7, "01…6789"),
            ("äöüßäöüß", 4, "ä…üß"),
            ("untouched", 2, "untouched"),
        ];
        for (text, limit, expected) in table {
            assert_eq!(shorten(text, limit), expected);
        }
    }
}
