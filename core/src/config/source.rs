//! The text of a file: from an offset to its line and column, and what a parser trips over.

use super::error::ConfigError;
use super::names::quoted;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A file's name and text.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    name: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        // Some editors begin a file with a byte order mark.
        Self { name, text: text.strip_prefix('\u{feff}').unwrap_or(text) }
    }

    /// The line and the character in it, both from 1, of a byte of the text.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
    }

    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> ConfigError {
        let (line, column) = self.position(offset);
        ConfigError { file: self.name.to_owned(), line, column, message: message.into() }
    }

    /// A parser's error about the part of the text that begins at `base`.
    pub(super) fn syntax_error(&self, base: usize, error: &serde_json::Error) -> ConfigError {
        if self.text.trim().is_empty() {
            return self.error(0, "expected a JSON object, found an empty file");
        }
        if error.is_eof() {
            let end = self.text.trim_end().len();
            return self.error(end, self.unclosed());
        }
        let offset = self.offset(base, error.line(), error.column());
        let found = self.token(offset);
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        let comma = match self.text[offset..].bytes().next() {
            Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                ": is a comma missing before it?"
            }
            _ => "",
        };
        let trailing = found == "\"}\"" || found == "\"]\"";
        let trailing = trailing && self.text[..offset].trim_end().ends_with(',');
        let message = match what {
            _ if trailing => {
                format!("expected another item behind the comma, found {found}: remove the comma")
            }
            "expected `,` or `}`" => format!("expected \",\" or \"}}\", found {found}{comma}"),
            "expected `,` or `]`" => format!("expected \",\" or \"]\", found {found}{comma}"),
            "expected `:`" => format!("expected \":\" behind the key, found {found}"),
            "expected value" => format!("expected a value, found {found}"),
            "key must be a string" => format!("expected a key in double quotes, found {found}"),
            "trailing characters" => format!(
                "expected the end of the file, found {found}: is there a bracket too many, or one closed too early?"
            ),
            _ if what.starts_with("control character") => {
                "expected the end of the text: is a double quote missing on this line?".to_owned()
            }
            _ => format!("expected valid JSON, found this: {what}"),
        };
        self.error(offset, message)
    }

    /// The byte at a line and column (in bytes, from 1) of the part that begins at `base`.
    fn offset(&self, base: usize, line: usize, column: usize) -> usize {
        let part = &self.text[base..];
        let start: usize = part.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        self.text.floor_char_boundary(base + start + column.saturating_sub(1))
    }

    /// What stands at `offset`. Values are not shown: one may be a secret.
    fn token(&self, offset: usize) -> String {
        let rest = &self.text[offset..];
        match rest.chars().next() {
            None => "the end of the file".to_owned(),
            Some('"') => {
                let text = rest[1..].split('"').next().unwrap_or_default();
                let is_key =
                    rest[1 + text.len()..].strip_prefix('"').is_some_and(|r| r.trim_start().starts_with(':'));
                if is_key { format!("the key {}", quoted(text)) } else { "a text".to_owned() }
            }
            Some('{') => "an object".to_owned(),
            Some('[') => "a list".to_owned(),
            Some('-' | '0'..='9') => "a number".to_owned(),
            Some('/' | '#') => "a comment, which JSON does not have".to_owned(),
            Some('\'') => "a single quote, which JSON does not have".to_owned(),
            Some(c) => quoted(c.encode_utf8(&mut [0; 4])),
        }
    }

    /// What the end of the file lacks.
    fn unclosed(&self) -> String {
        let mut open = Vec::new();
        let mut bytes = self.text.bytes().enumerate();
        while let Some((offset, byte)) = bytes.next() {
            match byte {
                b'{' => open.push((offset, '{', '}')),
                b'[' => open.push((offset, '[', ']')),
                b'}' | b']' => drop(open.pop()),
                b'"' => loop {
                    match bytes.next() {
                        Some((_, b'\\')) => drop(bytes.next()),
                        Some((_, b'"')) => break,
                        Some(_) => {}
                        None => {
                            let (line, _) = self.position(offset);
                            return format!(
                                "expected the end of the text that begins in line {line}, found the end of the file: is a double quote missing?"
                            );
                        }
                    }
                },
                _ => {}
            }
        }
        match open.last() {
            Some(&(offset, open, close)) => {
                let (line, _) = self.position(offset);
                format!("expected \"{close}\" for the \"{open}\" of line {line}, found the end of the file")
            }
            None => "expected more, found the end of the file".to_owned(),
        }
    }
}
