//! Words for the login shell of another host.

/// A word that every shell of the Bourne family, and fish and csh, take as it is.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '=' | '@' | '+' | ',')
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A command line of these words.
pub(super) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_gives_every_word_back() {
        let words = [
            "plain",
            "",
            "a b",
            "it's",
            "''",
            "$HOME `id` $(id) \\ \"x\"",
            "*",
            "~",
            "-n",
            "ä\n b",
            "!;&|<>#",
        ];
        let command = line(["printf", "%s|"].into_iter().chain(words));
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), words.map(|word| format!("{word}|")).concat());
    }
}
