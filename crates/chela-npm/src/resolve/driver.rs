//! Walks the growing tree breadth first: loads metadata, chooses versions, places packages.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use semver::Version;

use super::place::{Family, Outcome, place};
use super::tree::{Candidate, Edge, Kind, Node, NodeId, TOP, Tree};
use super::{Bundle, MAX_PACKAGE_JSON, Resolution, ResolveRequest, Root, Source};
use crate::dependency::{Preference, Req, Wanted, pick};
use crate::error::{NpmError, blocking};
use crate::overrides::Scope;
use crate::packument::Manifest;
use crate::platform::Platform;
use crate::progress::{Progress, Step};
use crate::range::parse_version;
use crate::spec::is_safe_name;

/// Packages in one tree. The largest plugins seen have some 1,500.
const MAX_PACKAGES: usize = 10_000;
/// Visits of packages, against trees that never come to rest.
const MAX_VISITS: usize = 200_000;
/// Nested directories: deeper ones exceed the length of paths.
const MAX_DEPTH: usize = 60;
/// How often one version may lie inside of itself. Versions that need each other in turn would nest for ever.
const MAX_SELF_NESTING: usize = 2;

pub(crate) struct Driver<'a, S> {
    source: &'a S,
    request: &'a ResolveRequest,
    platform: &'a Platform,
    preference: &'a Preference,
    progress: &'a dyn Progress,
    tree: Tree,
    pending: BTreeSet<NodeId>,
    /// Versions that cannot be used, with the reason.
    broken: HashMap<String, Arc<NpmError>>,
    warnings: Vec<String>,
}

impl<'a, S: Source> Driver<'a, S> {
    pub fn new(
        source: &'a S,
        request: &'a ResolveRequest,
        platform: &'a Platform,
        preference: &'a Preference,
        progress: &'a dyn Progress,
    ) -> Self {
        let tree = Tree::default();
        Self {
            source,
            request,
            platform,
            preference,
            progress,
            tree,
            pending: BTreeSet::new(),
            broken: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    pub async fn run(mut self) -> Result<Resolution, NpmError> {
        self.progress.begin(Step::Resolve, None);
        let done = self.grow().await;
        self.progress.end(Step::Resolve);
        let root = done?;
        super::output::finish(self.tree, root, self.warnings)
    }

    async fn grow(&mut self) -> Result<NodeId, NpmError> {
        let root = self.plant().await?;
        for visits in 0.. {
            let Some(id) = self.next_pending() else { break };
            if self.tree.len() > MAX_PACKAGES || visits > MAX_VISITS {
                let what = format!("the dependency tree of `{}`", self.id_of(root));
                return Err(NpmError::TooLarge { what, limit: MAX_PACKAGES as u64, unit: "packages" });
            }
            if self.tree.depth(id) > MAX_DEPTH {
                let what = format!("the nesting of `{}`", self.tree.location(id));
                return Err(NpmError::TooLarge { what, limit: MAX_DEPTH as u64, unit: "packages" });
            }
            if self.tree.self_nesting(id) > MAX_SELF_NESTING {
                return Err(NpmError::Circle { package: self.id_of(id), location: self.tree.location(id) });
            }
            self.visit(id, root).await?;
        }
        Ok(root)
    }

    /// The top and the root package.
    async fn plant(&mut self) -> Result<NodeId, NpmError> {
        let manifest = match &self.request.root {
            Root::Registry(selected) => selected.manifest.clone(),
            Root::Local { manifest, .. } => manifest.clone(),
        };
        if !is_safe_name(&manifest.name) {
            return Err(NpmError::Spec { reason: format!("`{}` is no usable package name", manifest.name) });
        }
        let version = parse_version(&manifest.version)
            .ok_or_else(|| NpmError::Spec { reason: format!("`{}` has no usable version `{}`", manifest.name, manifest.version) })?;
        if let Some(wanted) = self.platform.refuses(&manifest) {
            return Err(NpmError::Platform { package: manifest.id(), platform: self.platform.to_string(), wanted });
        }
        self.source.chosen(&manifest);
        let exact = Wanted::parse(&manifest.name, &manifest.version).map_err(|reason| NpmError::Spec { reason })?;
        let top_edge = Edge { name: manifest.name.clone(), wanted: exact, kind: Kind::Prod, dropped: false };
        let scope = Scope::root(&self.request.overrides);
        let top = Manifest::default();
        let nothing = Version::new(0, 0, 0);
        self.tree.add(node(String::new(), Arc::new(top), nothing, None, vec![top_edge], scope.clone()));
        let bundle = match &self.request.root {
            Root::Local { dir: Some(dir), .. } => {
                let dir = dir.clone();
                blocking(move || Ok(bundle_in(&dir))).await?
            }
            Root::Registry(selected) if !selected.manifest.bundled.is_empty() => self.source.files(&selected.manifest).await?,
            _ => Bundle::new(),
        };
        let edges = self.edges_of(&manifest, &scope).await?;
        let name = manifest.name.clone();
        let root = self.tree.add(node(name, manifest, version, Some(TOP), edges, scope));
        self.hang_bundle(root, bundle).await;
        self.pending.insert(root);
        Ok(root)
    }

    /// The shallowest node that waits; among equals in the order of their places.
    fn next_pending(&mut self) -> Option<NodeId> {
        let tree = &self.tree;
        self.pending.retain(|id| tree.get(*id).is_some());
        let key = |id: &NodeId| (tree.depth(*id), tree.location(*id));
        let next = self.pending.iter().copied().min_by(|a, b| {
            let ((depth_a, place_a), (depth_b, place_b)) = (key(a), key(b));
            depth_a.cmp(&depth_b).then_with(|| collate(&place_a, &place_b))
        })?;
        self.pending.remove(&next);
        Some(next)
    }

    async fn visit(&mut self, id: NodeId, root: NodeId) -> Result<(), NpmError> {
        let open = |driver: &Self| -> Vec<Edge> {
            let edges = driver.tree.get(id).map(|node| node.edges.as_slice()).unwrap_or_default();
            let mut open: Vec<Edge> = edges.iter().filter(|edge| !driver.tree.is_valid(id, edge)).cloned().collect();
            open.sort_by(|a, b| collate(&a.name, &b.name));
            open
        };
        let edges = open(self);
        // All at once, so that the loop below finds them ready.
        join_all(edges.iter().map(|edge| self.source.packument(&edge.wanted.package))).await;
        for edge in edges {
            let still_open = self.tree.edge(id, &edge.name).is_some_and(|edge| !self.tree.is_valid(id, edge));
            if !still_open {
                continue;
            }
            match self.family_of(id, &edge).await {
                Ok(family) => self.settle(id, &edge, &family).await?,
                Err(error) => self.unsatisfied(id, root, &edge, error)?,
            }
            if self.tree.get(id).is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Places what was chosen for an edge and takes note of what that changed.
    async fn settle(&mut self, id: NodeId, edge: &Edge, family: &Family) -> Result<(), NpmError> {
        let mut outcome = Outcome::default();
        if !place(&mut self.tree, id, &edge.name, family, &mut outcome) {
            outcome.unmet.push((id, edge.name.clone()));
        }
        for (from, name) in outcome.unmet {
            self.leave_unmet(from, &name);
        }
        for placed in outcome.placed {
            let Some(manifest) = self.tree.get(placed).map(|node| node.manifest.clone()) else { continue };
            self.progress.advance(Step::Resolve, 1);
            self.source.chosen(&manifest);
            if !manifest.bundled.is_empty() {
                let bundle = self.source.files(&manifest).await?;
                self.hang_bundle(placed, bundle).await;
            }
            self.pending.insert(placed);
        }
        self.pending.extend(outcome.disturbed);
        Ok(())
    }

    /// A peer (or a dependency that a bundle hides) that fits nowhere: said, and left as it is.
    fn leave_unmet(&mut self, from: NodeId, name: &str) {
        let who = self.id_of(from);
        let Some(node) = self.tree.get_mut(from) else { return };
        let Some(edge) = node.edges.iter_mut().find(|edge| edge.name == name) else { return };
        edge.dropped = true;
        if edge.kind != Kind::OptionalPeer {
            let text = format!("`{who}` asks for `{name}@{}` beside it, which fits nowhere in this tree", edge.wanted.text);
            self.warnings.push(text);
        }
    }

    /// An edge for which nothing can be had.
    fn unsatisfied(&mut self, id: NodeId, root: NodeId, edge: &Edge, error: NpmError) -> Result<(), NpmError> {
        let who = self.id_of(id);
        let skip = matches!(edge.kind, Kind::Optional | Kind::OptionalPeer) || (edge.kind == Kind::Peer && error.spares_optional());
        if skip && error.spares_optional() {
            if edge.kind != Kind::OptionalPeer && !matches!(error, NpmError::Platform { .. }) {
                self.warnings.push(format!("left out `{}` ({}) of `{who}`: {error}", edge.name, edge.kind.field()));
            }
            self.drop_edge(id, &edge.name);
            return Ok(());
        }
        let error =
            NpmError::Unresolved { package: who, dependency: edge.name.clone(), range: edge.wanted.text.clone(), source: Box::new(error) };
        self.fail(id, root, error)
    }

    /// A package that cannot be completed goes, and with it whoever needs it, up to an optional dependency.
    fn fail(&mut self, id: NodeId, root: NodeId, error: NpmError) -> Result<(), NpmError> {
        if id == root || !error.spares_optional() {
            return Err(error);
        }
        let who = self.id_of(id);
        let users: Vec<(NodeId, Edge)> = self.tree.edges_in(id).into_iter().map(|(from, edge)| (from, edge.clone())).collect();
        let needed = users.iter().any(|(_, edge)| edge.kind == Kind::Prod);
        let text = error.to_string();
        let shared = Arc::new(error);
        self.broken.insert(who.clone(), shared.clone());
        self.tree.remove(id);
        for (from, edge) in users {
            if edge.kind == Kind::Prod {
                let again = NpmError::Unresolved {
                    package: self.id_of(from),
                    dependency: edge.name.clone(),
                    range: edge.wanted.text.clone(),
                    source: Box::new(NpmError::Shared(shared.clone())),
                };
                self.fail(from, root, again)?;
            } else {
                self.drop_edge(from, &edge.name);
            }
        }
        if !needed {
            self.warnings.push(format!("left out optional `{who}`: {text}"));
        }
        Ok(())
    }

    fn drop_edge(&mut self, id: NodeId, name: &str) {
        let edges = self.tree.get_mut(id).map(|node| node.edges.iter_mut()).into_iter().flatten();
        edges.filter(|edge| edge.name == name).for_each(|edge| edge.dropped = true);
    }

    /// The version chosen for an edge, and the peers that come with it.
    async fn family_of(&mut self, from: NodeId, edge: &Edge) -> Result<Family, NpmError> {
        let scope = self.tree.get(from).map(|node| node.scope.clone()).unwrap_or_default();
        let first = self.candidate(&edge.name, &edge.wanted, &scope).await?;
        let mut family = Family::default();
        let mut open: Vec<Edge> = first.edges.clone();
        family.members.insert(edge.name.clone(), first);
        while let Some(peer) = open.pop() {
            if peer.kind != Kind::Peer || peer.dropped || family.members.contains_key(&peer.name) {
                continue;
            }
            let found = self.tree.lookup(from, &peer.name).and_then(|id| self.tree.get(id));
            if found.is_some_and(|node| peer.wanted.accepts(&node.manifest.name, &node.version)) {
                continue;
            }
            // What the dependent itself asks for by this name decides, if the peer can live with it.
            let own = self.tree.edge(from, &peer.name).filter(|own| own.kind != Kind::OptionalPeer).map(|own| own.wanted.clone());
            let mut chosen = match own {
                Some(own) => self.candidate(&peer.name, &own, &scope).await.ok(),
                None => None,
            };
            if !chosen.as_ref().is_some_and(|c| peer.wanted.accepts(&c.manifest.name, &c.version)) {
                chosen = self.candidate(&peer.name, &peer.wanted, &scope).await.ok();
            }
            // One that cannot be had is reported when its dependent is visited.
            if let Some(chosen) = chosen {
                open.extend(chosen.edges.iter().cloned());
                family.members.insert(peer.name.clone(), chosen);
            }
        }
        Ok(family)
    }

    async fn candidate(&mut self, name: &str, wanted: &Wanted, scope: &Scope) -> Result<Candidate, NpmError> {
        let packument = self.source.packument(&wanted.package).await?;
        let manifest = Arc::new(pick(&packument, wanted, self.preference)?);
        if let Some(broken) = self.broken.get(&manifest.id()) {
            return Err(NpmError::Shared(broken.clone()));
        }
        if let Some(asks) = self.platform.refuses(&manifest) {
            return Err(NpmError::Platform { package: manifest.id(), platform: self.platform.to_string(), wanted: asks });
        }
        let version = parse_version(&manifest.version).ok_or_else(|| NpmError::Internal(format!("`{}` has no version", manifest.id())))?;
        let scope = scope.enter(name, &version);
        let edges = self.edges_of(&manifest, &scope).await?;
        Ok(Candidate { manifest, version, edges, scope })
    }

    /// The edges of a package: what it declares, after overrides, with tags turned into versions.
    async fn edges_of(&mut self, manifest: &Manifest, scope: &Scope) -> Result<Vec<Edge>, NpmError> {
        let needs = &manifest.needs;
        let maps = [
            (Kind::Prod, &needs.dependencies),
            (Kind::Optional, &needs.optional),
            (Kind::Peer, &needs.peers),
            (Kind::OptionalPeer, &needs.optional_peers),
        ];
        let mut edges: BTreeMap<&str, Edge> = BTreeMap::new();
        for (kind, name, declared) in
            maps.iter().flat_map(|(kind, map)| map.iter().map(|(name, text)| (*kind, name.as_str(), text.as_str())))
        {
            // A dependency that is a peer too is a dependency; the host's peers are no business of ours.
            if edges.contains_key(name) || (kind.is_peer() && self.request.host_peers.iter().any(|host| host == name)) {
                continue;
            }
            let parsed = Wanted::parse(name, declared);
            let replaced = scope.replacement(name, parsed.as_ref().ok());
            let parsed = replaced.map_or(parsed, |text| Wanted::parse(name, text));
            let wanted = match parsed {
                Ok(wanted) => wanted,
                Err(problem) => {
                    let value = replaced.unwrap_or(declared).to_owned();
                    let error =
                        NpmError::Dependency { package: manifest.id(), field: kind.field(), dependency: name.to_owned(), value, problem };
                    if kind == Kind::Prod {
                        return Err(error);
                    }
                    self.warnings.push(format!("left out: {error}"));
                    continue;
                }
            };
            edges.insert(name, Edge { name: name.to_owned(), wanted, kind, dropped: false });
        }
        let mut edges: Vec<Edge> = edges.into_values().collect();
        for edge in edges.iter_mut().filter(|edge| matches!(edge.wanted.req, Req::Tag(_))) {
            if let Ok(packument) = self.source.packument(&edge.wanted.package).await {
                edge.wanted.pin(&packument);
            }
        }
        Ok(edges)
    }

    /// Hangs the packages that lie in a package's own archive below it.
    async fn hang_bundle(&mut self, owner: NodeId, mut bundle: Bundle) {
        bundle.sort_by_key(|(path, _)| path.matches('/').count());
        let mut places: HashMap<String, NodeId> = HashMap::from([(String::new(), owner)]);
        for (path, package) in bundle {
            let (above, name) =
                path.rsplit_once("node_modules/").map_or(("", path.as_str()), |(above, name)| (above.trim_end_matches('/'), name));
            let version = package.get("version").and_then(serde_json::Value::as_str).and_then(|text| Some((text, parse_version(text)?)));
            let (Some(parent), Some((text, version)), true) = (places.get(above).copied(), version, is_safe_name(name)) else { continue };
            let own = package.get("name").and_then(serde_json::Value::as_str).unwrap_or(name);
            let manifest = Arc::new(Manifest::from_value(own, text, &package));
            let scope = self.tree.get(owner).map(|node| node.scope.clone()).unwrap_or_default();
            // Peers of what is bundled are the bundle's own business.
            let mut edges = self.edges_of(&manifest, &scope).await.unwrap_or_default();
            edges.retain(|edge| !edge.kind.is_peer());
            let mut bundled = node(name.to_owned(), manifest, version, Some(parent), edges, scope);
            bundled.bundled = true;
            let id = self.tree.add(bundled);
            places.insert(path.clone(), id);
            self.pending.insert(id);
        }
    }

    fn id_of(&self, id: NodeId) -> String {
        self.tree.get(id).map(|node| node.manifest.id()).unwrap_or_default()
    }
}

fn node(name: String, manifest: Arc<Manifest>, version: Version, parent: Option<NodeId>, edges: Vec<Edge>, scope: Scope) -> Node {
    Node { name, manifest, version, parent, children: BTreeMap::new(), edges, scope, bundled: false }
}

/// `node_modules/a/node_modules/@s/b` when `path` is the package.json of a package at that place.
pub(crate) fn bundled_package(path: &str) -> Option<String> {
    let dir = path.strip_suffix("/package.json")?;
    let mut rest = dir;
    while let Some(below) = rest.strip_prefix("node_modules/") {
        let end = match below.strip_prefix('@') {
            Some(scoped) => {
                1 + scoped.find('/')? + 1 + scoped[scoped.find('/')? + 1..].find('/').unwrap_or(scoped.len() - scoped.find('/')? - 1)
            }
            None => below.find('/').unwrap_or(below.len()),
        };
        if end == below.len() {
            return Some(dir.to_owned());
        }
        rest = &below[end + 1..];
    }
    None
}

/// The packages in the `node_modules` of a directory, two levels of nesting and more.
fn bundle_in(dir: &Path) -> Bundle {
    let mut found = Bundle::new();
    let mut open = vec![(String::new(), 0_usize)];
    while let Some((above, depth)) = open.pop() {
        let prefix = if above.is_empty() { "node_modules".to_owned() } else { format!("{above}/node_modules") };
        for name in package_dirs(&crate::error::below(dir, &prefix)) {
            let path = format!("{prefix}/{name}");
            let file = crate::error::below(dir, &path).join("package.json");
            let small = fs_err::metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_PACKAGE_JSON);
            let package = small.then(|| fs_err::read(&file).ok()).flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            if let Some(package) = package
                && found.len() < MAX_PACKAGES
            {
                found.push((path.clone(), package));
                if depth < MAX_DEPTH {
                    open.push((path, depth + 1));
                }
            }
        }
    }
    found
}

fn package_dirs(node_modules: &Path) -> Vec<String> {
    let names = |dir: &Path| -> Vec<String> {
        let entries = fs_err::read_dir(dir).into_iter().flatten().flatten();
        let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        dirs.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut found = Vec::new();
    for name in names(node_modules) {
        if name.starts_with('@') {
            found.extend(names(&node_modules.join(&name)).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.retain(|name| is_safe_name(name));
    found.sort();
    found
}

/// npm sorts names as people read them: punctuation before digits before letters, case last.
pub(crate) fn collate(a: &str, b: &str) -> Ordering {
    let rank = |c: char| {
        let order = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";
        let place = order.chars().position(|other| other == c).unwrap_or(order.len());
        (place, c.to_ascii_lowercase())
    };
    a.chars().map(rank).cmp(b.chars().map(rank)).then_with(|| b.cmp(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_npm_sorts_them() {
        let mut names = vec!["b", "a1", "a-b", "a_b", "@z/a", "ab", "A", "a.b", "a"];
        names.sort_by(|a, b| collate(a, b));
        assert_eq!(names, ["@z/a", "a", "A", "a_b", "a-b", "a.b", "a1", "ab", "b"]);
    }

    #[test]
    fn package_json_of_bundled_packages() {
        let cases = [
            ("node_modules/a/package.json", Some("node_modules/a")),
            ("node_modules/@s/a/package.json", Some("node_modules/@s/a")),
            ("node_modules/a/node_modules/@s/b/package.json", Some("node_modules/a/node_modules/@s/b")),
            ("node_modules/a/lib/package.json", None),
            ("node_modules/@s/package.json", None),
            ("package.json", None),
            ("node_modules/a/index.js", None),
        ];
        for (path, expected) in cases {
            assert_eq!(bundled_package(path).as_deref(), expected, "{path}");
        }
    }
}
