//! File names and messages as a terminal may show them: what a file is called must not move the cursor, colour the
//! screen or begin a line of its own.

use std::{fmt::Write, path::Path};

/// A path for people, on one line: control characters, marks that turn the direction of writing, and bytes that are no
/// UTF-8 as escapes.
pub fn path(path: &Path) -> String {
    let mut shown = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        push_escaped(&mut shown, chunk.valid(), |character| character.is_control() || turns_direction(character));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Text for people on one line.
pub fn line(text: &str) -> String {
    path(Path::new(text))
}

/// A message for people, which may have several lines; control characters of whatever it quotes as escapes.
pub fn message(text: &str) -> String {
    let mut shown = String::new();
    push_escaped(&mut shown, text, |character| {
        (character.is_control() && character != '\n') || turns_direction(character)
    });
    shown
}

fn push_escaped(shown: &mut String, text: &str, must: impl Fn(char) -> bool) {
    for character in text.chars() {
        if must(character) { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
}

/// Embeddings, overrides and isolates of the bidirectional algorithm: "gpj.exe" can be made to read "exe.jpg".
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    #[test]
    fn names_stay_on_one_line_and_leave_the_terminal_alone() {
        let shown = |name: &[u8]| path(Path::new(OsStr::from_bytes(name)));
        assert_eq!(shown("ünï 日本.png".as_bytes()), "ünï 日本.png");
        assert_eq!(shown(b"a\nb\r\x1b[2Jc\x07.png"), "a\\nb\\r\\u{1b}[2Jc\\u{7}.png");
        assert_eq!(shown(b"latin1-\xe9.png"), "latin1-\\xe9.png");
        assert_eq!(shown("\u{202e}gnp.exe\u{9b}".as_bytes()), "\\u{202e}gnp.exe\\u{9b}");
    }

    #[test]
    fn messages_keep_their_lines_only() {
        assert_eq!(message("one\ntwo\x1b[31m"), "one\ntwo\\u{1b}[31m");
    }
}
