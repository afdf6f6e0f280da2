//! A push to three frontends, of which one is dead and one says nothing.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use tangelo_core::channel::{PushError, PushInput, PushLookUp, PushOptions, PushPlan, PushReply};
use tangelo_core::{ErrorKind, Instant};

/// Pushes; says what came of it.
pub(crate) fn pushed() -> String {
    let start = Instant::from_boot(Duration::from_secs(1));
    let options = PushOptions::new().except(["ann"]).timeout(Duration::from_secs(4));
    let frontends = ["connector-1", "connector-2", "connector-3"].map(ToString::to_string);
    let mut plan = PushPlan::new(start, frontends, &options);

    let mut reply = PushReply::delivered(7);
    reply.fail("bob", PushError::new(ErrorKind::Unavailable, "his session has just closed"));
    assert_eq!(plan.handle(start, PushInput::Answered { sid: sid(1), result: Ok(reply) }), []);
    let dead = PushError::new(ErrorKind::Unavailable, "it is gone");
    let asked = plan.handle(start, PushInput::Answered { sid: sid(2), result: Err(dead) });
    assert_eq!(asked, [PushLookUp { sid: sid(2) }]);
    let members = ["cleo", "ann"].map(ToString::to_string).into();
    assert_eq!(plan.handle(start, PushInput::LookedUp { sid: sid(2), result: Ok(members) }), []);

    let late = plan.next_deadline().expect("the third is waited for");
    assert_eq!(late, plan.answer_by());
    assert_eq!(plan.handle(late, PushInput::Tick), [PushLookUp { sid: sid(3) }]);
    let end = plan.next_deadline().expect("the store is waited for");
    assert_eq!(end, start + options.timeout);
    assert_eq!(plan.handle(end, PushInput::Tick), []);
    assert_eq!(plan.next_deadline(), None, "it is over");

    let report = plan.report();
    assert!(report.unreached().eq([("connector-1", "bob"), ("connector-2", "cleo")]), "{report}");
    assert_eq!(
        report.failed.last().map(|failure| failure.more),
        Some(None),
        "nobody knows whom the third missed"
    );
    format!("a push ({} reached, {} not)", report.delivered, report.unreached().count())
}

fn sid(number: u32) -> String {
    format!("connector-{number}")
}
