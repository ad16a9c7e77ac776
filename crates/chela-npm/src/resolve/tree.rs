//! The tree while it grows: nodes with their places, and edges that find their target as Node does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use semver::Version;

use crate::dependency::Wanted;
use crate::overrides::Scope;
use crate::packument::Manifest;

pub(crate) type NodeId = usize;

/// The directory that holds the top `node_modules`; it is no package.
pub(crate) const TOP: NodeId = 0;

/// How one package needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Prod,
    Optional,
    Peer,
    OptionalPeer,
}

impl Kind {
    pub fn is_peer(self) -> bool {
        matches!(self, Self::Peer | Self::OptionalPeer)
    }

    pub fn field(self) -> &'static str {
        match self {
            Self::Prod => "dependencies",
            Self::Optional => "optionalDependencies",
            Self::Peer | Self::OptionalPeer => "peerDependencies",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub name: String,
    pub wanted: Wanted,
    pub kind: Kind,
    /// It could not be satisfied and does not count any more.
    pub dropped: bool,
}

#[derive(Debug)]
pub(crate) struct Node {
    /// Name of its directory; an alias differs from the package's name.
    pub name: String,
    pub manifest: Arc<Manifest>,
    pub version: Version,
    pub parent: Option<NodeId>,
    pub children: BTreeMap<String, NodeId>,
    pub edges: Vec<Edge>,
    pub scope: Scope,
    /// Its files come with the tarball of the package above it.
    pub bundled: bool,
}

/// What may become a node.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub manifest: Arc<Manifest>,
    pub version: Version,
    /// Edges for the place that it is meant for.
    pub edges: Vec<Edge>,
    pub scope: Scope,
}

#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Option<Node>>,
    /// Nodes that ever had an edge of this name.
    by_edge: HashMap<String, BTreeSet<NodeId>>,
    /// Nodes that ever had this name.
    by_name: HashMap<String, BTreeSet<NodeId>>,
    live: usize,
}

impl Tree {
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id).and_then(Option::as_ref)
    }

    pub fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id).and_then(Option::as_mut)
    }

    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().enumerate().filter(|(_, node)| node.is_some()).map(|(id, _)| id)
    }

    /// Nodes in the tree.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Adds a node and hangs it below its parent.
    pub fn add(&mut self, node: Node) -> NodeId {
        let id = self.nodes.len();
        for edge in &node.edges {
            self.by_edge.entry(edge.name.clone()).or_default().insert(id);
        }
        self.by_name.entry(node.name.clone()).or_default().insert(id);
        let (parent, name) = (node.parent, node.name.clone());
        self.nodes.push(Some(node));
        self.live += 1;
        if let Some(parent) = parent.and_then(|parent| self.get_mut(parent)) {
            parent.children.insert(name, id);
        }
        id
    }

    /// Takes a node and all below it away.
    pub fn remove(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(id).and_then(Option::take) else { return };
        self.live -= 1;
        if let Some(parent) = node.parent.and_then(|parent| self.get_mut(parent))
            && parent.children.get(&node.name) == Some(&id)
        {
            parent.children.remove(&node.name);
        }
        for child in node.children.into_values() {
            self.remove(child);
        }
    }

    /// The node itself and what is above it, up to the top.
    pub fn ancestry(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(id), |id| self.get(*id).and_then(|node| node.parent))
    }

    pub fn is_within(&self, id: NodeId, above: NodeId) -> bool {
        self.ancestry(id).any(|node| node == above)
    }

    pub fn depth(&self, id: NodeId) -> usize {
        self.ancestry(id).count()
    }

    /// How often the same version of the same package lies above a node.
    pub fn self_nesting(&self, id: NodeId) -> usize {
        let Some(own) = self.get(id) else { return 0 };
        let same = |node: &&Node| node.version == own.version && node.manifest.name == own.manifest.name;
        self.ancestry(id).filter(|other| *other != id).filter_map(|other| self.get(other)).filter(same).count()
    }

    /// What `require(name)` finds from inside `from`.
    pub fn lookup(&self, from: NodeId, name: &str) -> Option<NodeId> {
        self.ancestry(from).find_map(|id| self.get(id).and_then(|node| node.children.get(name)).copied())
    }

    /// What an edge leads to now. A peer is looked for beside its dependent, not below it.
    pub fn target(&self, from: NodeId, edge: &Edge) -> Option<NodeId> {
        let node = self.get(from)?;
        let start = if edge.kind.is_peer() { node.parent? } else { from };
        self.lookup(start, &edge.name)
    }

    /// True when an edge is satisfied, needs nothing or does not count. What an author bundled stays as it
    /// is: a version that its users did not ask for is the author's choice.
    pub fn is_valid(&self, from: NodeId, edge: &Edge) -> bool {
        let bundled = |id: NodeId| self.get(id).is_some_and(|node| node.bundled);
        match self.target(from, edge).and_then(|id| self.get(id)) {
            _ if edge.dropped => true,
            Some(_) if bundled(from) => true,
            Some(node) => edge.wanted.accepts(&node.manifest.name, &node.version),
            None => edge.kind == Kind::OptionalPeer,
        }
    }

    pub fn edge(&self, id: NodeId, name: &str) -> Option<&Edge> {
        self.get(id)?.edges.iter().find(|edge| edge.name == name && !edge.dropped)
    }

    /// Nodes with an edge of this name, whatever it leads to.
    pub fn with_edge<'a>(&'a self, name: &str) -> impl Iterator<Item = (NodeId, &'a Edge)> + 'a {
        let ids = self.by_edge.get(name).into_iter().flatten();
        let name = name.to_owned();
        ids.filter_map(move |id| Some((*id, self.edge(*id, &name)?)))
    }

    /// Nodes with this directory name.
    pub fn named(&self, name: &str) -> Vec<NodeId> {
        self.by_name.get(name).into_iter().flatten().copied().filter(|id| self.get(*id).is_some()).collect()
    }

    /// The edges that lead to `id`.
    pub fn edges_in(&self, id: NodeId) -> Vec<(NodeId, &Edge)> {
        let Some(node) = self.get(id) else { return Vec::new() };
        self.with_edge(&node.name).filter(|(from, edge)| self.target(*from, edge) == Some(id)).collect()
    }

    /// `node_modules/a/node_modules/b`; empty for the top.
    pub fn location(&self, id: NodeId) -> String {
        let mut names: Vec<&str> = self.ancestry(id).filter(|id| *id != TOP).filter_map(|id| Some(self.get(id)?.name.as_str())).collect();
        names.reverse();
        names.iter().map(|name| format!("node_modules/{name}")).collect::<Vec<_>>().join("/")
    }
}
