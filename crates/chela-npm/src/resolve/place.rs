//! Where a package goes: as high as it can without changing what others find, as npm decides it.

use std::collections::BTreeMap;

use super::tree::{Candidate, Edge, Kind, Node, NodeId, TOP, Tree};

/// A package together with the peers that it brings along.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// By directory name; the package itself is in it too.
    pub members: BTreeMap<String, Candidate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Nothing of this name is there.
    Free,
    /// What is there will do.
    Keep,
    /// What is there gives way.
    Replace,
    Conflict,
}

/// What a placement did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// New nodes, whose own dependencies are still to be placed.
    pub placed: Vec<NodeId>,
    /// Nodes that lost what they had found.
    pub disturbed: Vec<NodeId>,
    /// Peers that fit nowhere: the dependent and the name.
    pub unmet: Vec<(NodeId, String)>,
}

/// Satisfies the edge `name` of `from` with the member of that name. False when there is no place for it.
pub(crate) fn place(tree: &mut Tree, from: NodeId, name: &str, family: &Family, outcome: &mut Outcome) -> bool {
    let (Some(edge), Some(candidate)) = (tree.edge(from, name).cloned(), family.members.get(name)) else { return false };
    let start = if edge.kind.is_peer() { tree.get(from).and_then(|node| node.parent) } else { Some(from) };
    let Some((target, fit)) = start.and_then(|start| find_place(tree, start, from, &edge, candidate, family)) else { return false };
    let parent = target;
    let replaced = match fit {
        Fit::Keep | Fit::Conflict => {
            unhide(tree, from, &edge, target, outcome);
            return true;
        }
        Fit::Replace => tree.get(parent).and_then(|node| node.children.get(name)).copied(),
        Fit::Free => None,
    };
    if let Some(old) = replaced {
        tree.remove(old);
    }
    let node = Node {
        name: name.to_owned(),
        manifest: candidate.manifest.clone(),
        version: candidate.version.clone(),
        parent: Some(parent),
        children: BTreeMap::new(),
        edges: candidate.edges.clone(),
        scope: candidate.scope.clone(),
        bundled: false,
    };
    let id = tree.add(node);
    outcome.placed.push(id);
    drop_duplicates(tree, id, parent);
    disturbed_by(tree, name, parent, outcome);
    place_peers(tree, id, family, outcome);
    unhide(tree, from, &edge, target, outcome);
    true
}

/// Copies between the dependent and the place of what was chosen, which hide it: each may give way, or the walk up would have ended there.
fn unhide(tree: &mut Tree, from: NodeId, edge: &Edge, target: NodeId, outcome: &mut Outcome) {
    while tree.get(from).is_some() && !tree.is_valid(from, edge) {
        let Some(hiding) = tree.target(from, edge) else { return };
        let parent = tree.get(hiding).and_then(|node| node.parent);
        if !parent.is_some_and(|parent| parent != target && tree.is_within(parent, target)) || tree.is_within(from, hiding) {
            return;
        }
        tree.remove(hiding);
        disturbed_by(tree, &edge.name, target, outcome);
    }
}

/// The peers that came along, beside the package or above it.
fn place_peers(tree: &mut Tree, id: NodeId, family: &Family, outcome: &mut Outcome) {
    let edges: Vec<Edge> = tree.get(id).map(|node| node.edges.clone()).unwrap_or_default();
    for edge in edges.iter().filter(|edge| edge.kind == Kind::Peer && !edge.dropped) {
        // A peer that replaced something may have removed this very node.
        if tree.get(id).is_none() {
            return;
        }
        if tree.is_valid(id, edge) || !family.members.contains_key(&edge.name) {
            continue;
        }
        if !place(tree, id, &edge.name, family, outcome) {
            outcome.unmet.push((id, edge.name.clone()));
        }
    }
}

/// The highest place that takes the candidate with its peers; without one, the highest that takes it alone.
fn find_place(tree: &Tree, start: NodeId, from: NodeId, edge: &Edge, candidate: &Candidate, family: &Family) -> Option<(NodeId, Fit)> {
    let (mut best, mut alone, mut peers_fit_so_far) = (None, None, true);
    for target in tree.ancestry(start) {
        // A package cannot bring its own peer; the walk goes on above it.
        if target != TOP && tree.edge(target, &edge.name).is_some_and(|own| own.kind.is_peer()) {
            continue;
        }
        let fit = fits(tree, target, from, edge, candidate);
        if fit == Fit::Conflict {
            break;
        }
        alone = Some((target, fit));
        // Where they do not fit, they fit no higher either.
        peers_fit_so_far &= fit == Fit::Keep || peers_fit(tree, target, candidate, family, &mut vec![edge.name.clone()]);
        if peers_fit_so_far {
            best = alone;
        }
    }
    best.or(alone)
}

fn fits(tree: &Tree, target: NodeId, from: NodeId, edge: &Edge, candidate: &Candidate) -> Fit {
    let accepts = |other: &Edge| other.wanted.accepts(&candidate.manifest.name, &candidate.version);
    if let Some(own) = tree.edge(target, &edge.name)
        && target != from
        && !accepts(own)
    {
        return Fit::Conflict;
    }
    let current = tree.get(target).and_then(|node| node.children.get(&edge.name)).and_then(|id| Some((*id, tree.get(*id)?)));
    let Some((current_id, current)) = current else {
        // What others below find further up must not be hidden by something that they do not accept.
        let hidden = if target == from { None } else { tree.lookup(target, &edge.name) };
        let hides = hidden.is_some_and(|hidden| {
            let mut users = tree.edges_in(hidden).into_iter();
            users.any(|(user, other)| tree.is_within(user, target) && tree.is_valid(user, other) && !accepts(other))
        });
        return if hides { Fit::Conflict } else { Fit::Free };
    };
    let serves = edge.wanted.accepts(&current.manifest.name, &current.version);
    let same = current.manifest.name == candidate.manifest.name && current.version == candidate.version;
    if (same && serves) || current.bundled {
        return if serves { Fit::Keep } else { Fit::Conflict };
    }
    let serves_all = tree.edges_in(current_id).iter().all(|(_, other)| accepts(other));
    if current.manifest.name == candidate.manifest.name && candidate.version >= current.version && serves_all {
        // A package that needs another version of itself cannot give way to it: it would be gone, and so would its need.
        return if tree.is_within(from, current_id) { Fit::Conflict } else { Fit::Replace };
    }
    match (serves, !edge.kind.is_peer() && target == from) {
        (true, _) => Fit::Keep,
        // There is no other place for it; who used what was here finds another one deeper.
        (false, true) => Fit::Replace,
        (false, false) => Fit::Conflict,
    }
}

/// True when each peer that is needed is found from `target` or could be placed there.
fn peers_fit(tree: &Tree, target: NodeId, candidate: &Candidate, family: &Family, visiting: &mut Vec<String>) -> bool {
    for edge in candidate.edges.iter().filter(|edge| edge.kind == Kind::Peer && !edge.dropped) {
        if visiting.contains(&edge.name) {
            continue;
        }
        let found = tree.lookup(target, &edge.name).and_then(|id| tree.get(id));
        if found.is_some_and(|node| edge.wanted.accepts(&node.manifest.name, &node.version)) {
            continue;
        }
        let Some(member) = family.members.get(&edge.name) else { continue };
        // `TOP` is nobody's dependent: the edge comes from a node that is not in the tree yet.
        if fits(tree, target, NodeId::MAX, edge, member) == Fit::Conflict {
            return false;
        }
        visiting.push(edge.name.clone());
        if !peers_fit(tree, target, member, family, visiting) {
            return false;
        }
    }
    true
}

/// Copies further down that the new node can stand in for.
fn drop_duplicates(tree: &mut Tree, id: NodeId, target: NodeId) {
    let Some(name) = tree.get(id).map(|node| node.name.clone()) else { return };
    for other in tree.named(&name) {
        if other == id || !tree.is_within(other, target) {
            continue;
        }
        let Some(node) = tree.get(other) else { continue };
        let above =
            node.parent.and_then(|parent| tree.get(parent)?.parent).and_then(|up| tree.lookup(up, &name)).and_then(|up| tree.get(up));
        let Some(above) = above.filter(|_| !node.bundled) else { continue };
        let accepted = tree.edges_in(other).iter().all(|(_, edge)| edge.wanted.accepts(&above.manifest.name, &above.version));
        if accepted && above.version >= node.version {
            tree.remove(other);
        }
    }
}

/// Nodes at or below `target` whose edge of this name is not satisfied any more.
fn disturbed_by(tree: &Tree, name: &str, target: NodeId, outcome: &mut Outcome) {
    let users = tree.with_edge(name).filter(|(from, edge)| !tree.is_valid(*from, edge) && tree.is_within(*from, target));
    outcome.disturbed.extend(users.map(|(from, _)| from));
}
