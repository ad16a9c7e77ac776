//! What the gateway tells about itself: diagnostic events as they happen, and figures for whoever asks.
//!
//! Events carry facts of small size and no session keys; contents only where the operator asked for them. Nothing is built while nobody
//! listens. A listener runs on the way of what it hears of, so it must be quick and must not block. The crate does no I/O.

mod content;
mod event;
mod figures;
pub mod logs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use serde_json::Value;

pub use content::{Capture, bounded};
pub use event::{Content, Event, Harness, Lane, Message, ModelCall, Request, Run, Span, Tool, Usage};
pub use figures::{Figures, HandlerFigures, Source, WorkerFigures};

/// Takes events.
pub trait Listener: Send + Sync {
    /// Takes one event. Must not block.
    fn take(&self, event: &Event<'_>);
}

/// What the operator set, read once: a change of it starts the gateway anew.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The section `diagnostics` of the config, secrets resolved.
    pub diagnostics: Value,
    /// `OTEL_*` and `OPENCLAW_OTEL_*` of the environment.
    pub env: Vec<(String, String)>,
}

impl Settings {
    /// False when the operator switched diagnostics off altogether.
    pub fn enabled(&self) -> bool {
        self.diagnostics.get("enabled") != Some(&Value::Bool(false))
    }

    /// A variable of the environment that is set to something.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

type Listeners = Vec<(u64, Arc<dyn Listener>)>;

/// The events and figures of one gateway.
#[derive(Default)]
pub struct Telemetry {
    listeners: ArcSwap<Listeners>,
    changing: Mutex<()>,
    next: AtomicU64,
    sources: Mutex<Vec<Arc<dyn Source>>>,
    settings: OnceLock<Settings>,
    capture: OnceLock<Capture>,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").field("listeners", &self.listeners.load().len()).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Telemetry under these settings.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings: settings.into(), ..Self::default() })
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        self.settings.get_or_init(Settings::default)
    }

    /// The contents that events may carry.
    pub fn capture(&self) -> Capture {
        *self.capture.get_or_init(|| Capture::read(&self.settings().diagnostics))
    }

    /// Tells listeners of an event, which is built only when there is one.
    pub fn emit<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        let listeners = self.listeners.load();
        if listeners.is_empty() {
            return;
        }
        let event = event();
        for (_, listener) in listeners.iter() {
            listener.take(&event);
        }
    }

    /// True when somebody listens: facts that events need need not be gathered otherwise.
    pub fn listened(&self) -> bool {
        !self.listeners.load().is_empty()
    }

    /// Tells `listener` of every event until the guard goes. With diagnostics switched off it hears nothing.
    pub fn listen(self: &Arc<Self>, listener: Arc<dyn Listener>) -> Listening {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if self.settings().enabled() {
            self.change(|list| list.push((id, listener)));
        }
        Listening { telemetry: self.clone(), id }
    }

    fn change(&self, change: impl FnOnce(&mut Listeners)) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.listeners.load().as_ref().clone();
        change(&mut list);
        self.listeners.store(Arc::new(list));
    }

    /// Adds somebody who knows figures.
    pub fn add_source(&self, source: Arc<dyn Source>) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// The figures of now. Costs what the sources cost; for scrapes, not for turns.
    pub fn figures(&self) -> Figures {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut figures = Figures::default();
        for source in sources {
            source.fill(&mut figures);
        }
        figures
    }
}

/// Ends listening when it goes.
#[derive(Debug)]
#[must_use = "listening ends when this is dropped"]
pub struct Listening {
    telemetry: Arc<Telemetry>,
    id: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.telemetry.change(|list| list.retain(|(id, _)| *id != self.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    struct Count(AtomicU64);

    impl Listener for Count {
        fn take(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn event() -> Event<'static> {
        Event::Request(Request { surface: "http", name: "POST", outcome: "2xx", took: Duration::ZERO })
    }

    #[test]
    fn nothing_is_built_while_nobody_listens() {
        let (telemetry, count) = (Telemetry::new(Settings::default()), Arc::new(Count(AtomicU64::new(0))));
        telemetry.emit(|| unreachable!("nobody listens"));
        let guard = telemetry.listen(count.clone());
        telemetry.emit(event);
        assert!(telemetry.listened());
        drop(guard);
        telemetry.emit(|| unreachable!("nobody listens any more"));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn diagnostics_that_are_off_reach_nobody() {
        let telemetry = Telemetry::new(Settings { diagnostics: json!({"enabled": false}), env: Vec::new() });
        let _guard = telemetry.listen(Arc::new(Count(AtomicU64::new(0))));
        telemetry.emit(|| unreachable!("diagnostics are off"));
        assert!(!telemetry.listened());
    }

    #[test]
    fn figures_come_from_all_sources() {
        struct One;
        impl Source for One {
            fn fill(&self, figures: &mut Figures) {
                figures.open_sessions += 1;
            }
        }
        let telemetry = Telemetry::new(Settings::default());
        telemetry.add_source(Arc::new(One));
        telemetry.add_source(Arc::new(One));
        assert_eq!(telemetry.figures().open_sessions, 2);
    }
}
