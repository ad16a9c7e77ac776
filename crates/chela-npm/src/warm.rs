//! Asks for metadata before they are needed: follows likely dependencies ahead of the resolver, all at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::client::NpmClient;
use crate::dependency::{Wanted, pick};
use crate::packument::Manifest;

/// Guesses followed in one resolution; wrong ones cost a request each.
const MAX_GUESSES: usize = 5_000;

/// Follows dependencies in the background until it is stopped or dropped.
pub(crate) struct Warmer {
    shared: Arc<Shared>,
}

struct Shared {
    client: NpmClient,
    host_peers: Vec<String>,
    seen: Mutex<HashSet<(String, String)>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Warmer {
    pub fn new(client: NpmClient, host_peers: Vec<String>) -> Self {
        let shared = Shared { client, host_peers, seen: Mutex::default(), tasks: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Looks ahead from a package whose dependencies will be wanted.
    pub fn follow(&self, manifest: &Manifest) {
        follow(&self.shared, manifest);
    }

    /// Ends what is still under way.
    pub fn stop(&self) {
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Drop for Warmer {
    fn drop(&mut self) {
        // The tasks hold the shared part; without this they would keep each other alive.
        self.stop();
    }
}

fn follow(shared: &Arc<Shared>, manifest: &Manifest) {
    let needs = &manifest.needs;
    let own = needs.dependencies.iter().chain(&needs.optional);
    let peers = needs.peers.iter().filter(|(name, _)| !shared.host_peers.contains(name));
    for (name, declared) in own.chain(peers) {
        let Ok(wanted) = Wanted::parse(name, declared) else { continue };
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_GUESSES || !seen.insert((wanted.package.clone(), wanted.text.clone())) {
            continue;
        }
        drop(seen);
        let (task, mut tasks) = (guess(shared.clone(), wanted), shared.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.spawn(task);
        while tasks.try_join_next().is_some() {}
    }
}

fn guess(shared: Arc<Shared>, wanted: Wanted) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        // Whatever goes wrong here goes wrong again where it is asked for in earnest.
        let Ok(packument) = shared.client.packument(&wanted.package).await else { return };
        if let Ok(manifest) = pick(&packument, &wanted, shared.client.preference()) {
            follow(&shared, &manifest);
        }
    })
}
