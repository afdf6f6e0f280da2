//! What the application does for clients: the servers with the key `"clients"` in servers.json.

use crate::app::note;
use core::time::Duration;
use serde_json::{Value, json};
use tangelo::{App, HandlerError, PushOptions, Request, Session};

/// The channel that everybody enters.
const LOBBY: &str = "lobby";

pub(crate) fn configure(app: &App) {
    app.handler("connector.entry.enter", enter);
    app.handler("chat.room.who", async |_, session: Session| {
        let room: Option<String> = session.get("room");
        Ok(json!({"at": session.app().id(), "uid": session.uid(), "sid": session.frontend_id(), "room": room}))
    });
    app.handler("chat.room.move", async |request: Request, session: Session| {
        session.set("room", request.json::<String>()?)?;
        session.push("onMoved", &request.json::<Value>()?).await?;
        Ok(session.push_settings().await?)
    });
    app.handler("chat.room.say", say);
    app.handler("chat.room.shout", async |request: Request, session: Session| {
        let report = session.app().broadcast("connector", "onShout", &request.json::<Value>()?).await?;
        Ok(report.delivered)
    });
    app.handler("chat.room.whisper", async |request: Request, session: Session| {
        let (to, sid, text): (String, String, String) = request.json()?;
        let report = session.app().push_by_uids("onWhisper", &text, &[(to, sid)]).await?;
        Ok(report.is_complete())
    });
    app.handler("chat.room.kick", async |request: Request, session: Session| {
        Ok(session.app().kick(&request.json::<String>()?, "enough").await?)
    });
    app.handler("chat.room.count", async |request: Request, session: Session| {
        note(session.app(), &format!("count {}", request.json::<u64>()?));
        Ok(())
    });
    app.handler("chat.room.hang", async |_, session: Session| {
        note(session.app(), "hanging");
        session.app().sleep(Duration::from_secs(600)).await;
        Ok(())
    });
    app.handler("connector.entry.ask", async |request: Request, session: Session| {
        let rpc = session.app().rpc().timeout(Duration::from_secs(5)).for_session(&session);
        Ok(rpc.call::<_, Value>("chat.remote.add", &request.json::<Value>()?).await?)
    });
    app.method("chat.remote.add", async |caller, (a, b): (i64, i64)| {
        Ok(json!({"by": caller.app().id(), "for": caller.id(), "sum": a + b}))
    });
    app.on_session_bound(|session| async move {
        note(session.app(), &format!("bound {}", session.uid().unwrap_or_default()));
    });
    app.on_session_closed(|session| async move {
        note(session.app(), &format!("closed {}", session.uid().unwrap_or_default()));
    });
}

async fn enter(request: Request, session: Session) -> Result<&'static str, HandlerError> {
    let uid: String = request.json()?;
    session.bind(&uid).await?;
    let rooms = session.app().global_channels()?;
    rooms.add(LOBBY, &uid, session.frontend_id()).await?;
    Ok("welcome")
}

async fn say(request: Request, session: Session) -> Result<u64, HandlerError> {
    let Some(uid) = session.uid() else { return Err(HandlerError::new(401, "enter first")) };
    let said = json!({"from": uid, "text": request.json::<String>()?});
    let rooms = session.app().global_channels()?;
    let report = rooms.push("connector", "onSaid", said.to_string(), LOBBY, &PushOptions::new()).await?;
    Ok(report.delivered)
}
