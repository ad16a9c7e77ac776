//! A host without a gateway around it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use chela_agent::{RunEvent, RunRef, RunSink};
use chela_host::{Host, HostOptions, Purpose};

use crate::live::{Home, node, options};

struct Quiet;

impl RunSink for Quiet {
    fn emit(&self, _run: &RunRef, _event: RunEvent) {}
}

/// Everything of a gateway but its sockets: a test can make a session old there, or run turns that no client can ask for yet.
pub async fn host_of(home: &Home) -> Arc<Host> {
    let host = unrecovered(home).await;
    host.recover().await.unwrap();
    host.start_plugins(1);
    host
}

/// A host as it is before what the last process left open is recovered.
pub async fn unrecovered(home: &Home) -> Arc<Host> {
    home.write_config();
    let options = options(home.dir.path(), &node().await, || {});
    Host::open(HostOptions {
        paths: options.paths,
        env: options.env,
        config: Arc::new(options.config),
        sink: Arc::new(Quiet),
        purpose: Purpose::Gateway,
        core_methods: Default::default(),
        cli_commands: Default::default(),
        guard: None,
        inherit_output: false,
        observer: None,
        preload: None,
    })
    .unwrap()
}
