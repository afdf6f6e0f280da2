//! The services of a process, made as it is configured.

use super::cluster::Cluster;
use super::global::GlobalChannelService;
use super::here::Here;
use super::local::ChannelService;
use super::memory::MemoryChannelManager;
use super::sender::Sender;
use super::wire::{self, CHANNEL, PUSH};
use crate::app::App;
use crate::config;
use crate::sync::Mutex;
use alloc::sync::Arc;
use std::sync::OnceLock;
use tangelo_core::channel::{ChannelManager, ManagerContext, PushSink};
use tangelo_core::config::{ChannelStore, GlobalChannelConfig};
use tangelo_core::{Error, ErrorKind, Result};
use tracing::warn;

/// What a process has of channels; made when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    here: OnceLock<Here>,
    local: OnceLock<ChannelService>,
    global: Mutex<Option<GlobalChannelService>>,
}

impl Channels {
    pub(crate) fn set_sink(&self, app: &App, sink: Arc<dyn PushSink>) {
        self.here(app).set_sink(sink);
    }

    /// Whether something takes what is pushed to users here.
    pub(crate) fn has_sink(&self, app: &App) -> bool {
        self.here(app).has_sink()
    }

    pub(crate) fn local(&self, app: &App) -> ChannelService {
        let service = self.local.get_or_init(|| {
            let sender = Sender {
                runtime: Arc::clone(app.runtime()),
                cluster: Arc::new(app.clone()),
                here: self.here(app).clone(),
            };
            let service = ChannelService::new(sender);
            let told = service.clone();
            app.on_servers_removed(move |gone| {
                gone.iter().for_each(|server| told.leave_server(&server.def.id))
            });
            service
        });
        service.clone()
    }

    pub(crate) fn global(&self, app: &App) -> Result<GlobalChannelService> {
        let mut made = self.global.lock();
        if let Some(service) = &*made {
            return Ok(service.clone());
        }
        let Some(config) = configured(app)? else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "global channels are not configured: make config/globalChannel.json, such as {\"host\": \
                 \"127.0.0.1\", \"port\": 6379} for Redis, or call app.set(GlobalChannelConfig { … })",
            ));
        };
        let manager = manager(app, &config)?;
        let runtime = Arc::clone(app.runtime());
        let (cluster, here) = (Arc::new(app.clone()), self.here(app).clone());
        let service = GlobalChannelService::new(runtime, cluster, here, manager, config);
        let told = service.clone();
        app.on_servers_removed(move |gone| {
            let frontends = gone.iter().map(|server| &server.def).filter(|def| def.frontend);
            told.servers_gone(frontends.map(|def| (def.id.clone(), def.server_type.clone())));
        });
        let told = service.clone();
        app.on_servers_added(move |came| came.iter().for_each(|server| told.server_came(&server.def.id)));
        Ok(made.insert(service).clone())
    }

    pub(super) fn here(&self, app: &App) -> &Here {
        self.here.get_or_init(|| Here::new(app.own()))
    }

    /// The service for global channels, if it has been asked for.
    pub(crate) fn made(&self) -> Option<GlobalChannelService> {
        self.global.lock().clone()
    }
}

/// What the application or `config/globalChannel.json` says about the store, in this order.
///
/// # Errors
/// For the first thing that is wrong, with its place.
pub(crate) fn configured(app: &App) -> Result<Option<GlobalChannelConfig>> {
    let Some(config) = app.get::<GlobalChannelConfig>() else {
        return config::load_global_channel(app.dir(), app.env());
    };
    let wrong = |what| Error::new(ErrorKind::Invalid, format!("GlobalChannelConfig: {what}"));
    config.check().map_err(wrong)?;
    Ok(Some((*config).clone()))
}

/// The manager that is configured; it has not been started.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) if this build has none for that store, and which feature
/// adds it; what is wrong with its settings; what a manager of the application's own says.
pub(crate) fn manager(app: &App, config: &GlobalChannelConfig) -> Result<Arc<dyn ChannelManager>> {
    let store = &config.channel_manager;
    let feature = match store {
        ChannelStore::Memory => return Ok(Arc::new(MemoryChannelManager::new())),
        ChannelStore::Custom(custom) => {
            let runtime = Arc::clone(app.runtime());
            return custom.make(&ManagerContext::new(runtime, config.clone(), app.dir(), app.env()));
        }
        #[cfg(feature = "channel-redis")]
        ChannelStore::Redis => return super::stores::redis::manager(app, config),
        #[cfg(feature = "channel-postgres")]
        ChannelStore::Postgres => return super::stores::sql::manager(app, config),
        #[cfg(feature = "channel-mysql")]
        ChannelStore::MySql => return super::stores::sql::manager(app, config),
        #[cfg(feature = "channel-sqlite")]
        ChannelStore::Sqlite => return super::stores::sql::manager(app, config),
        store => format!("channel-{store}"),
    };
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "global channels in {store} are configured, but not in this build: add \"{feature}\" to tangelo's \
             features in Cargo.toml, or choose another \"channelManager\" in config/globalChannel.json"
        ),
    ))
}

/// Whether the store that is configured can be used by this build, as far as that can be said before
/// it is asked. A manager of the application's own is not made for this.
///
/// # Errors
/// As for [`configured`] and [`manager`].
pub(crate) fn check(app: &App) -> Result<()> {
    match configured(app)? {
        Some(config) if !matches!(config.channel_manager, ChannelStore::Custom(_)) => {
            manager(app, &config).map(drop)
        }
        _ => Ok(()),
    }
}

/// Makes this server answer others about channels. Called before its components start.
///
/// # Errors
/// If the configuration is wrong, or the store refuses us. One that is merely away is waited for
/// meanwhile, and the server starts.
pub(crate) async fn start(app: &App) -> Result<()> {
    let here = app.shared().channels.here(app).clone();
    let remotes = &app.shared().remotes;
    remotes.insert(PUSH, move |_, request| {
        let here = here.clone();
        async move { wire::encode(&here.deliver(&wire::decode(&request)?).await) }
    });
    if configured(app)?.is_none() {
        return Ok(());
    }
    let service = app.global_channels()?;
    let answering = service.clone();
    remotes.insert(CHANNEL, move |_, request| {
        let service = answering.clone();
        async move { service.answer(&request).await }
    });
    match service.ready().await {
        Err(error) if !error.is_temporary() => Err(error),
        Err(error) => {
            warn!(%error, "starting without the store of global channels");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Takes this server's users out of all global channels.
///
/// # Errors
/// If the store does not hear of it; the leader sees to it then.
pub(crate) async fn stop(app: &App) -> Result<()> {
    match app.shared().channels.made() {
        Some(service) => service.stop().await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_not_in_this_build_is_named_with_its_feature() {
        let app = App::for_tests();
        let all = [
            (ChannelStore::Redis, cfg!(feature = "channel-redis")),
            (ChannelStore::Postgres, cfg!(feature = "channel-postgres")),
            (ChannelStore::MySql, cfg!(feature = "channel-mysql")),
            (ChannelStore::Sqlite, cfg!(feature = "channel-sqlite")),
        ];
        for (store, is_here) in all {
            if is_here {
                continue;
            }
            let config =
                GlobalChannelConfig { channel_manager: store.clone(), ..GlobalChannelConfig::default() };
            let error = manager(&app, &config).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(&format!("\"channel-{store}\"")), "{error}");
        }
    }

    #[test]
    fn channels_are_off_until_they_are_configured_and_a_setting_is_checked() {
        let app = App::for_tests();
        let error = app.global_channels().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("make config/globalChannel.json"), "{error}");
        app.set(GlobalChannelConfig { connections: Some(0), ..GlobalChannelConfig::default() });
        assert!(
            app.global_channels()
                .unwrap_err()
                .to_string()
                .starts_with("GlobalChannelConfig: \"connections\"")
        );
        app.set(GlobalChannelConfig {
            channel_manager: ChannelStore::custom(|context| {
                assert_eq!(context.env, "test");
                Ok(MemoryChannelManager::new())
            }),
            ..GlobalChannelConfig::default()
        });
        app.runtime().clone().block_on(Box::pin(async {
            let service = app.global_channels().unwrap();
            service.ready().await.unwrap();
            assert_eq!(service.count("room").await.unwrap(), 0);
            assert_eq!(app.channels().count("room"), 0);
        }));
    }
}
