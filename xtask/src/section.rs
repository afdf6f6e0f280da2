//! Sections of documents that a command writes.

use crate::repo;
use anyhow::{Context as _, Result};

/// Replaces what stands between the marks `<!-- kind:name:begin -->` and `<!-- kind:name:end -->` of
/// `file`, which is named from the repository's root.
///
/// # Errors
/// If the document lacks them, or cannot be written.
pub(crate) fn write(file: &str, kind: &str, name: &str, text: &str) -> Result<()> {
    let file = repo::root().join(file);
    let document =
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let document = replaced(&document, &format!("{kind}:{name}"), text)?;
    std::fs::write(&file, document).with_context(|| format!("cannot write {}", file.display()))
}

/// `document` with `text` between the two marks of section `name`.
fn replaced(document: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let parts =
        document.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.with_context(|| format!("the document lacks `{begin}` … `{end}`"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_rest_stays() {
        let document = "a\n<!-- bench:x:begin -->\nold\n<!-- bench:x:end -->\nb\n";
        let new = replaced(document, "bench:x", "new\n").expect("marks");
        assert_eq!(new, "a\n<!-- bench:x:begin -->\nnew\n<!-- bench:x:end -->\nb\n");
        assert!(replaced(document, "bench:y", "new").is_err());
    }
}
