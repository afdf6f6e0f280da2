//! Names that somebody may have meant.

/// At most so many names are suggested.
const AT_MOST: usize = 3;

/// A list of so many names is shown whole.
const SHORT: usize = 8;

/// "did you mean a or b?", or what there is if nothing is close.
pub(super) fn suggestion<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let mut close: Vec<(usize, &str)> = known.iter().map(|name| (distance(wrong, name), *name)).collect();
    close.retain(|(distance, name)| *distance <= 1 + wrong.len().max(name.len()) / 4);
    close.sort_unstable();
    // Beside a good guess a poor one only confuses.
    let best = close.first().map_or(0, |(distance, _)| *distance);
    close.retain(|(distance, _)| *distance <= best + 1);
    close.truncate(AT_MOST);
    let close: Vec<&str> = close.into_iter().map(|(_, name)| name).collect();
    match (&close[..], &known[..]) {
        ([], []) => "there is none at all".to_owned(),
        ([], [only]) => format!("there is only {only}"),
        ([], known) if known.len() <= SHORT => format!("there are {}", known.join(", ")),
        ([], known) => format!("there are {}", super::bar::some_of(known)),
        (close, _) => format!("did you mean {}?", close.join(" or ")),
    }
}

/// How many characters have to be added, removed or replaced to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] =
        ["gate-server-1", "connector-server-1", "connector-server-2", "chat-server-1", "chat-server-2"];

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("chat", "chat"), 0);
    }

    #[test]
    fn close_names_are_suggested_and_else_what_there_is() {
        let suggested = |wrong: &str| suggestion(wrong, KNOWN.into_iter());
        assert_eq!(suggested("chat-sever-1"), "did you mean chat-server-1 or chat-server-2?");
        assert!(suggested("area").ends_with("connector-server-2, chat-server-1, chat-server-2"));
        let many: Vec<String> = (0..100).map(|n| format!("area-server-{n}")).collect();
        assert_eq!(
            suggestion("gate", many.iter().map(String::as_str)),
            "there are area-server-0, area-server-1, area-server-2 and 97 more"
        );
        assert_eq!(suggestion("x", core::iter::empty()), "there is none at all");
    }
}
