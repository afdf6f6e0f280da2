//! Pushes that go well, late, half and not at all.

use super::*;
use crate::{ErrorKind, Instant};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

const START: Instant = Instant::from_boot(Duration::from_secs(100));

fn after(millis: u64) -> Instant {
    START + Duration::from_millis(millis)
}

fn plan(frontends: &[&str], options: PushOptions) -> PushPlan {
    PushPlan::new(START, frontends.iter().map(ToString::to_string), &options)
}

fn delivered(sid: &str, delivered: u64) -> PushInput {
    PushInput::Answered { sid: sid.into(), result: Ok(PushReply::delivered(delivered)) }
}

fn gone(sid: &str) -> PushInput {
    PushInput::Answered { sid: sid.into(), result: Err(PushError::new(ErrorKind::Unavailable, "it is gone")) }
}

fn found(sid: &str, users: &[&str]) -> PushInput {
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    PushInput::LookedUp { sid: sid.into(), result: Ok(users) }
}

#[test]
fn a_push_that_reaches_everybody_reads_no_store() {
    let mut plan = plan(&["a", "b"], PushOptions::new());
    assert_eq!(plan.handle(after(1), delivered("a", 3)), []);
    assert!(plan.next_deadline().is_some());
    assert_eq!(plan.handle(after(2), delivered("b", 4)), []);
    assert_eq!(plan.next_deadline(), None);
    let report = plan.report();
    assert!(report.is_complete());
    assert_eq!((report.delivered, report.frontends), (7, 2));
}

#[test]
fn a_push_to_no_frontend_is_over_at_once() {
    let plan = plan(&[], PushOptions::new());
    assert_eq!(plan.next_deadline(), None);
    assert_eq!(plan.report(), PushReport::default());
}

#[test]
fn whoever_a_dead_frontend_has_not_reached_is_named_and_the_others_are_not_held_up() {
    let mut plan = plan(&["a", "b"], PushOptions::new().except(["anna"]));
    assert_eq!(plan.handle(after(1), gone("b")), [PushLookUp { sid: "b".into() }]);
    assert_eq!(plan.handle(after(2), found("b", &["cleo", "anna", "ben"])), []);
    assert_eq!(plan.handle(after(3), delivered("a", 5)), []);
    assert_eq!(plan.next_deadline(), None);
    let report = plan.report();
    assert_eq!(report.delivered, 5);
    assert_eq!(report.unreached().collect::<Vec<_>>(), [("b", "ben"), ("b", "cleo")]);
    assert_eq!((report.failed[0].more, report.failed[0].reason.kind), (Some(0), ErrorKind::Unavailable));
    let line = report.to_string();
    assert_eq!(line, "delivered to 5 members at 2 frontends; not to 2 at b: it is gone");
}

#[test]
fn only_those_who_were_meant_are_missed() {
    let mut plan = plan(&["a"], PushOptions::new().only(["anna", "ben"]).except(["ben"]));
    plan.handle(after(1), gone("a"));
    plan.handle(after(1), found("a", &["cleo", "ben", "anna"]));
    assert_eq!(plan.report().unreached().collect::<Vec<_>>(), [("a", "anna")]);
}

#[test]
fn users_whom_a_sink_cannot_reach_are_named() {
    let mut plan = plan(&["a"], PushOptions::new());
    let mut reply = PushReply::delivered(1);
    reply.fail("ben", PushError::new(ErrorKind::Unavailable, "its queue is full"));
    assert_eq!(plan.handle(after(1), PushInput::Answered { sid: "a".into(), result: Ok(reply) }), []);
    let report = plan.report();
    assert_eq!((report.delivered, report.unreached().collect::<Vec<_>>()), (1, [("a", "ben")].to_vec()));
}

#[test]
fn a_slow_frontend_costs_the_timeout_and_no_more() {
    let mut plan = plan(&["a", "b"], PushOptions::new().timeout(Duration::from_millis(400)));
    assert_eq!(plan.next_deadline(), Some(after(300)), "a quarter is kept for the store");
    plan.handle(after(5), delivered("a", 1));
    assert_eq!(plan.handle(after(299), PushInput::Tick), []);
    assert_eq!(plan.handle(after(300), PushInput::Tick), [PushLookUp { sid: "b".into() }]);
    assert_eq!(plan.next_deadline(), Some(after(400)));
    plan.handle(after(310), found("b", &["ben"]));
    assert_eq!(plan.next_deadline(), None);
    let report = plan.report();
    assert_eq!(report.failed[0].reason.kind, ErrorKind::Timeout);
    assert_eq!(report.unreached().collect::<Vec<_>>(), [("b", "ben")]);
}

#[test]
fn a_store_that_is_down_too_leaves_nobody_silently_out() {
    for late in [false, true] {
        let mut plan = plan(&["a"], PushOptions::new());
        plan.handle(after(1), gone("a"));
        if late {
            assert_eq!(plan.next_deadline(), Some(after(5000)));
            assert_eq!(plan.handle(after(5000), PushInput::Tick), []);
        } else {
            let result = Err(PushError::new(ErrorKind::Unavailable, "no store"));
            plan.handle(after(2), PushInput::LookedUp { sid: "a".into(), result });
        }
        assert_eq!(plan.next_deadline(), None);
        let report = plan.report();
        assert!(!report.is_complete());
        assert_eq!((report.failed[0].more, report.failed[0].users.len()), (None, 0));
        assert!(report.to_string().contains("its members are not known"), "{report}");
    }
}

#[test]
fn an_answer_that_overtakes_the_look_up_counts_and_nothing_counts_twice() {
    let mut plan = plan(&["a", "b"], PushOptions::new().timeout(Duration::from_millis(400)));
    plan.handle(after(300), PushInput::Tick);
    plan.handle(after(310), delivered("a", 2));
    plan.handle(after(320), found("a", &["anna"]));
    plan.handle(after(330), delivered("a", 2));
    plan.handle(after(330), gone("a"));
    plan.handle(after(340), found("b", &["ben"]));
    plan.handle(after(350), delivered("b", 9));
    plan.handle(after(350), delivered("nobody", 9));
    let report = plan.report();
    assert_eq!((report.delivered, report.unreached().collect::<Vec<_>>()), (2, [("b", "ben")].to_vec()));
}

#[test]
fn a_report_that_is_taken_early_counts_nobody_as_reached() {
    let report = plan(&["a"], PushOptions::new()).report();
    assert_eq!((report.delivered, report.failed.len()), (0, 1));
}

#[test]
fn options_are_bounded() {
    assert!(PushOptions::new().check().is_ok());
    assert!(PushOptions::new().only([""]).check().is_err());
    assert!(PushOptions::new().except(["a\0"]).check().is_err());
    assert!(PushOptions::new().timeout(Duration::ZERO).check().is_err());
    let many = (0..10_001).map(|n| n.to_string());
    assert!(PushOptions::new().only(many).check().is_err());
}
