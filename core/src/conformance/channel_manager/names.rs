//! What names may be made of.

use super::Suite;
use super::stores::{all, at, channels, kind, set};
use crate::channel::{Frontend, MAX_INCARNATION};
use crate::config::Incarnation;
use crate::{ErrorKind, Result};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

/// Names that mean something to some store, file, protocol or terminal.
const HOSTILE: &[&str] = &[
    ":",
    "::",
    "a:b",
    "%",
    "%3A",
    "%25",
    "a%3Ab",
    "*",
    "?",
    "[a-z]",
    "\\",
    "\\n",
    "{a}",
    "{",
    "}",
    "{}",
    "_",
    "a_b",
    "'",
    "\"",
    "`",
    "' OR '1'='1",
    "'; DROP TABLE members; --",
    "$1",
    "${x}",
    "$(x)",
    "/",
    "..",
    "../../etc",
    "a/b",
    " ",
    "  ",
    " a",
    "a ",
    "a b",
    "\t",
    "\n",
    "a\nb",
    "\r\n",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{feff}",
    "\u{200b}",
    "\u{2028}",
    "\u{fffd}",
    "\u{10ffff}",
    "0",
    "-1",
    "1",
    "01",
    "1.0",
    "1e3",
    "9007199254740993",
    "NaN",
    "null",
    "true",
    "[]",
    "{\"a\":1}",
    "ä",
    "ß",
    "İ",
    "日本語",
    "العربية",
    "😀",
    "👨\u{200d}👩\u{200d}👧",
    "e\u{301}",
    "é",
    ",",
    ";",
    "=",
    "&",
    "#",
    "@",
    "!",
    "|",
    "^",
    "~",
    "<a>",
    "-",
    "--",
    "+",
    "(",
    ")",
    "POMELO:CHANNEL:a:b",
    "members",
    "*1\r\n$4\r\nPING\r\n",
];

/// Pairs that some store takes for the same.
const ALIKE: &[(&str, &str)] = &[
    ("a", "A"),
    ("a", "a "),
    ("a", " a"),
    ("ä", "a"),
    ("ä", "Ä"),
    ("é", "e\u{301}"),
    ("ß", "ss"),
    ("i", "İ"),
    ("1", "01"),
    ("1", "1.0"),
    ("0", "-0"),
    ("a", "a\u{200b}"),
    ("ａ", "a"),
    ("😀", "😁"),
    ("\u{1f600}", "\u{fffd}"),
    ("a%3Ab", "a:b"),
    ("a\\", "a"),
    ("a\n", "a"),
    ("a_", "ab"),
];

impl Suite<'_> {
    /// Any text is a channel, a user and a frontend, and comes back as it went in.
    pub async fn names_are_opaque(&self) {
        let s = self.open().await;
        let (front, users) =
            (self.frontend(), HOSTILE.iter().map(|uid| String::from(*uid)).collect::<Vec<_>>());
        let room = self.name("room");
        s.a.add_many(&room, &front, &users).await.unwrap();
        assert_eq!(at(&s.b, &room, &front.sid).await, set(&users));
        let expected: BTreeSet<_> = users.iter().map(|uid| (front.sid.clone(), uid.clone())).collect();
        assert_eq!(all(&s.b, &room).await, expected);
        for uid in &users {
            assert!(s.b.contains(&room, &front.sid, uid).await.unwrap(), "{uid:?}");
        }

        for name in HOSTILE {
            s.a.add(name, &front, name).await.unwrap();
            assert_eq!(at(&s.b, name, &front.sid).await, set(&[name]), "in the channel {name:?}");
        }
        let rooms: BTreeSet<String> = set(HOSTILE).into_iter().chain([room.clone()]).collect();
        assert_eq!(channels(&s.b, &front.sid).await, rooms);
        for name in HOSTILE {
            s.a.destroy(name).await.unwrap();
            assert!(all(&s.b, name).await.is_empty(), "the channel {name:?}");
        }
        assert_eq!(channels(&s.b, &front.sid).await, set(&[&room]));

        for name in HOSTILE {
            let odd = Frontend { sid: format!("{name}{}", front.sid), incarnation: Incarnation(1) };
            s.a.add(&room, &odd, name).await.unwrap();
            assert_eq!(at(&s.b, &room, &odd.sid).await, set(&[name]), "at the frontend {:?}", odd.sid);
            assert_eq!(channels(&s.b, &odd.sid).await, set(&[&room]));
            s.a.purge_server(&odd).await.unwrap();
            assert!(at(&s.b, &room, &odd.sid).await.is_empty());
        }
        assert_eq!(at(&s.b, &room, &front.sid).await, set(&users), "other frontends were purged");
        s.close().await;
    }

    /// Case, accents, spaces at the end, width and spelling of numbers make another name.
    pub async fn names_are_compared_byte_by_byte(&self) {
        let s = self.open().await;
        for (one, other) in ALIKE {
            let (room, stem, front) = (self.name("room"), self.name(""), self.frontend());
            s.a.add(&room, &front, one).await.unwrap();
            assert!(!s.b.contains(&room, &front.sid, other).await.unwrap(), "{one:?} is taken for {other:?}");
            s.a.leave(&room, &front, other).await.unwrap();
            assert_eq!(at(&s.b, &room, &front.sid).await, set(&[one]), "{other:?} has left for {one:?}");
            s.a.add(&room, &front, other).await.unwrap();
            assert_eq!(at(&s.b, &room, &front.sid).await, set(&[one, other]));

            let (one, other) = (format!("{stem}{one}"), format!("{stem}{other}"));
            s.a.add(&one, &front, "anna").await.unwrap();
            assert!(all(&s.b, &other).await.is_empty(), "the channel {one:?} is taken for {other:?}");
            s.a.destroy(&other).await.unwrap();
            assert_eq!(at(&s.b, &one, &front.sid).await, set(&["anna"]));
            s.a.destroy(&one).await.unwrap();

            let [one, other] = [one, other].map(|sid| Frontend { sid, incarnation: Incarnation(1) });
            s.a.add(&room, &one, "anna").await.unwrap();
            s.a.purge_server(&other).await.unwrap();
            s.a.leave(&room, &one, "nobody").await.expect("the purge of another frontend");
            assert_eq!(at(&s.b, &room, &one.sid).await, set(&["anna"]), "purged in place of {:?}", other.sid);
            s.a.purge_server(&one).await.unwrap();
        }
        s.close().await;
    }

    /// Where one name ends and the next begins is never in doubt.
    pub async fn names_do_not_run_together(&self) {
        let s = self.open().await;
        for mark in [":", "%", "/", "-", "|", "\u{1}", "\n", " ", "%3A", "::"] {
            let stem = self.name("x");
            let (ab, b) = (format!("{stem}a{mark}b"), format!("b{mark}{stem}"));
            let (a, c) = (format!("{stem}a"), Frontend { sid: stem.clone(), incarnation: Incarnation(1) });
            let bc = Frontend { sid: b, incarnation: Incarnation(1) };
            s.a.add(&ab, &c, "anna").await.unwrap();
            s.a.add(&a, &bc, "ben").await.unwrap();
            assert_eq!(at(&s.b, &ab, &c.sid).await, set(&["anna"]), "with {mark:?}");
            assert_eq!(at(&s.b, &a, &bc.sid).await, set(&["ben"]), "with {mark:?}");
            assert_eq!(all(&s.b, &a).await.len(), 1, "with {mark:?}");
            s.a.destroy(&a).await.unwrap();
            assert_eq!(at(&s.b, &ab, &c.sid).await, set(&["anna"]), "with {mark:?}");
            s.a.destroy(&ab).await.unwrap();
        }
        s.close().await;
    }

    /// The longest names there are, also such as differ in the last byte only.
    pub async fn names_may_have_255_bytes(&self) {
        let s = self.open().await;
        let stem = self.name("");
        for filler in ["x", "ä", "日", "😀", ":", "%", "'", "\\", "\u{1}"] {
            let fill = (253 - stem.len()) / filler.len();
            let trunk = format!("{stem}{}", filler.repeat(fill));
            let [one, two] = ["1", "2"].map(|end| format!("{trunk}{}", end.repeat(255 - trunk.len())));
            assert_eq!(one.len(), 255);
            let front = Frontend { sid: one.clone(), incarnation: Incarnation(1) };
            s.a.add(&one, &front, &one).await.unwrap();
            s.a.add_many(&one, &front, core::slice::from_ref(&two)).await.unwrap();
            assert_eq!(at(&s.b, &one, &one).await, set(&[&one, &two]), "of {filler:?}");
            assert_eq!(channels(&s.b, &one).await, set(&[&one]));
            assert!(all(&s.b, &two).await.is_empty());
            assert!(channels(&s.b, &two).await.is_empty());
            s.a.leave(&one, &front, &two).await.unwrap();
            assert_eq!(at(&s.b, &one, &one).await, set(&[&one]));
            s.a.purge_server(&front).await.unwrap();
            assert!(all(&s.b, &one).await.is_empty());
        }
        s.close().await;
    }

    /// Names that are empty, too long, or have a NUL are refused everywhere, and nothing is changed.
    pub async fn names_out_of_bounds_are_refused(&self) {
        fn refused<T: Debug>(result: Result<T>, what: &str) {
            assert_eq!(kind(result), Some(ErrorKind::Invalid), "{what}");
        }
        let s = self.open().await;
        let (room, front, m) = (self.name("room"), self.frontend(), &s.a);
        m.add(&room, &front, "anna").await.unwrap();
        for bad in ["", "\0", "a\0b", &"x".repeat(256), &"ä".repeat(128)] {
            let at_bad = Frontend { sid: bad.into(), incarnation: Incarnation(1) };
            refused(m.add(bad, &front, "ben").await, "add to a channel");
            refused(m.add(&room, &at_bad, "ben").await, "add at a frontend");
            refused(m.add(&room, &front, bad).await, "add of a user");
            let batch = ["ben".into(), bad.into(), "cleo".into()];
            refused(m.add_many(&room, &front, &batch).await, "add_many");
            refused(m.leave(bad, &front, "ben").await, "leave a channel");
            refused(m.leave(&room, &at_bad, "ben").await, "leave at a frontend");
            refused(m.leave_many(&room, &front, &["anna".into(), bad.into()]).await, "leave_many");
            refused(m.members_by_server(bad, &front.sid).await, "members_by_server of a channel");
            refused(m.members_by_server(&room, bad).await, "members_by_server of a frontend");
            refused(m.channels_of_server(bad).await, "channels_of_server");
            refused(m.contains(bad, &front.sid, "anna").await, "contains of a channel");
            refused(m.contains(&room, bad, "anna").await, "contains of a frontend");
            refused(m.contains(&room, &front.sid, bad).await, "contains of a user");
            refused(m.count(bad).await, "count");
            refused(m.destroy(bad).await, "destroy");
            refused(m.purge_server(&at_bad).await, "purge_server");
        }
        let beyond = Frontend { incarnation: MAX_INCARNATION.next(), ..front.clone() };
        refused(m.add(&room, &beyond, "ben").await, "an incarnation beyond the last");
        refused(m.purge_server(&beyond).await, "a purge beyond the last incarnation");
        assert_eq!(at(m, &room, &front.sid).await, set(&["anna"]), "a refused change has done something");
        assert_eq!(channels(m, &front.sid).await, set(&[&room]));
        s.close().await;
    }
}
