//! From the finished tree to the list of places: what nobody needs goes, and every edge is checked once more.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Kind, NodeId, TOP, Tree};
use super::{Resolution, ResolvedDependency, ResolvedPackage};
use crate::error::NpmError;

pub(crate) fn finish(tree: Tree, root: NodeId, mut warnings: Vec<String>) -> Result<Resolution, NpmError> {
    let needed = reachable(&tree, true);
    let required = reachable(&tree, false);
    let mut packages = BTreeMap::new();
    for id in tree.ids().filter(|id| *id != TOP && needed.contains(id)) {
        let Some(node) = tree.get(id) else { continue };
        let mut dependencies = Vec::new();
        for edge in node.edges.iter().filter(|edge| !edge.dropped) {
            let Some(target) = tree.target(id, edge).filter(|target| needed.contains(target)) else { continue };
            if !tree.is_valid(id, edge) && !edge.kind.is_peer() {
                return Err(NpmError::Internal(format!("no place was found for `{}` of `{}`", edge.name, node.manifest.id())));
            }
            let optional = matches!(edge.kind, Kind::Optional | Kind::OptionalPeer);
            dependencies.push(ResolvedDependency { name: edge.name.clone(), location: tree.location(target), optional });
        }
        if node.manifest.has_shrinkwrap {
            warnings.push(format!(
                "`{}` carries npm-shrinkwrap.json, which is not followed: its dependencies are chosen by their ranges",
                node.manifest.id()
            ));
        }
        let package = ResolvedPackage {
            name: node.name.clone(),
            manifest: node.manifest.clone(),
            optional: !required.contains(&id),
            bundled: node.bundled,
            dependencies,
        };
        packages.insert(tree.location(id), package);
    }
    warnings.sort();
    warnings.dedup();
    Ok(Resolution { packages, root: tree.location(root), warnings })
}

/// Nodes that the top leads to, over optional edges too or without them.
fn reachable(tree: &Tree, optional: bool) -> BTreeSet<NodeId> {
    let mut seen = BTreeSet::from([TOP]);
    let mut open = vec![TOP];
    while let Some(id) = open.pop() {
        let Some(node) = tree.get(id) else { continue };
        let follows = |kind: Kind| optional || matches!(kind, Kind::Prod | Kind::Peer);
        let edges = node.edges.iter().filter(|edge| !edge.dropped && follows(edge.kind));
        let targets = edges.filter_map(|edge| tree.target(id, edge));
        // A bundle stays whole: its files come with the archive.
        let bundled = node.children.values().copied().filter(|child| tree.get(*child).is_some_and(|child| child.bundled));
        for next in targets.chain(bundled) {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen
}

impl Resolution {
    /// The tree without one package that could not be had, and without what nobody else needs. Only for
    /// packages that are optional.
    ///
    /// # Errors
    /// The location of a package that is required and needs it.
    pub fn without(&mut self, location: &str) -> Result<(), String> {
        let mut failed = BTreeSet::from([location.to_owned()]);
        loop {
            let lost = |package: &ResolvedPackage| package.dependencies.iter().any(|dep| !dep.optional && failed.contains(&dep.location));
            let next = self.packages.iter().find(|(place, package)| !failed.contains(*place) && lost(package));
            let Some((place, package)) = next else { break };
            if !package.optional {
                return Err(place.clone());
            }
            failed.insert(place.clone());
        }
        if failed.contains(&self.root) {
            return Err(self.root.clone());
        }
        self.packages.retain(|place, _| !failed.contains(place));
        for package in self.packages.values_mut() {
            package.dependencies.retain(|dep| !failed.contains(&dep.location));
        }
        let mut seen = BTreeSet::from([self.root.clone()]);
        let mut open = vec![self.root.clone()];
        while let Some(place) = open.pop() {
            let bundled = format!("{place}/node_modules/");
            let below =
                self.packages.iter().filter(|(other, package)| package.bundled && other.starts_with(&bundled)).map(|(other, _)| other);
            let next = self.packages.get(&place).into_iter().flat_map(|package| package.dependencies.iter().map(|dep| &dep.location));
            for place in next.chain(below) {
                if seen.insert(place.clone()) {
                    open.push(place.clone());
                }
            }
        }
        self.packages.retain(|place, _| seen.contains(place));
        Ok(())
    }
}
