//! Who is who: `ann` in the room `lobby` is the user `ann*lobby`, as in Pomelo's own demo.

/// The longest name of a user or room, in characters.
const MAX_NAME: usize = 20;

pub(crate) fn uid(name: &str, room: &str) -> String {
    format!("{name}*{room}")
}

pub(crate) fn name(uid: &str) -> &str {
    uid.split('*').next().unwrap_or_default()
}

/// Whether a user or a room may be called that.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c))
}
