//! Building session keys from a route: peers, groups, threads.

use std::str::FromStr;

use super::{main_key, normalize_account_id, normalize_agent_id};

/// How direct messages are spread over sessions (`session.dmScope`, CH-136).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DmScope {
    /// All direct messages share the main session.
    #[default]
    Main,
    /// One session per peer.
    PerPeer,
    /// One session per channel and peer.
    PerChannelPeer,
    /// One session per account, channel and peer.
    PerAccountChannelPeer,
}

impl FromStr for DmScope {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        match raw {
            "main" => Ok(Self::Main),
            "per-peer" => Ok(Self::PerPeer),
            "per-channel-peer" => Ok(Self::PerChannelPeer),
            "per-account-channel-peer" => Ok(Self::PerAccountChannelPeer),
            other => Err(format!("`{other}` is no dmScope: use `main`, `per-peer`, `per-channel-peer` or `per-account-channel-peer`")),
        }
    }
}

/// What kind of conversation a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerKind {
    /// One person.
    #[default]
    Direct,
    /// A group chat.
    Group,
    /// A channel or room.
    Channel,
}

impl PeerKind {
    /// The word used in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Channel => "channel",
        }
    }
}

/// Where a message came from, for [`peer_key`].
#[derive(Debug, Clone, Copy, Default)]
pub struct PeerRoute<'a> {
    /// Agent that answers; repaired when invalid.
    pub agent_id: &'a str,
    /// Channel id; blank counts as `unknown`.
    pub channel: &'a str,
    /// Account of the channel; blank counts as `default`.
    pub account_id: &'a str,
    /// Kind of conversation.
    pub kind: PeerKind,
    /// Peer, group or channel id; `None` when the channel names none.
    pub peer_id: Option<&'a str>,
    /// Spread of direct messages; ignored for groups and channels (CH-138).
    pub dm_scope: DmScope,
    /// Canonical name and the ids that belong to it (CH-137).
    pub identity_links: &'a [(String, Vec<String>)],
}

/// Session key of a route (CH-136..139).
pub fn peer_key(route: &PeerRoute<'_>) -> String {
    let agent = normalize_agent_id(route.agent_id);
    let channel = lowered_or_unknown(route.channel);
    if route.kind != PeerKind::Direct {
        let peer = lowered_or_unknown(route.peer_id.unwrap_or_default());
        return format!("agent:{agent}:{channel}:{}:{peer}", route.kind.as_str());
    }
    let Some(raw_peer) = route.peer_id.filter(|_| route.dm_scope != DmScope::Main) else {
        return main_key(&agent);
    };
    let linked = linked_peer(route, raw_peer.trim());
    let peer = lowered_or_unknown(linked.unwrap_or(raw_peer));
    match route.dm_scope {
        DmScope::Main => main_key(&agent),
        DmScope::PerPeer => format!("agent:{agent}:direct:{peer}"),
        DmScope::PerChannelPeer => format!("agent:{agent}:{channel}:direct:{peer}"),
        DmScope::PerAccountChannelPeer => {
            format!("agent:{agent}:{channel}:{}:direct:{peer}", normalize_account_id(route.account_id))
        }
    }
}

/// Base key with a thread suffix; the id is lower-cased, a blank id leaves the base as it is (CH-140).
pub fn with_thread(base: &str, thread_id: &str) -> String {
    let id = thread_id.trim();
    if id.is_empty() { base.to_owned() } else { format!("{base}:thread:{}", id.to_lowercase()) }
}

/// Thread key for a plugin that normalises the id itself, or wants no suffix at all (CH-140).
pub fn thread_key(base: &str, normalized_thread_id: &str, use_suffix: bool) -> String {
    if use_suffix && !normalized_thread_id.is_empty() { format!("{base}:thread:{normalized_thread_id}") } else { base.to_owned() }
}

fn linked_peer<'a>(route: &PeerRoute<'a>, peer: &str) -> Option<&'a str> {
    if peer.is_empty() {
        return None;
    }
    let bare = peer.to_lowercase();
    let channel = route.channel.trim().to_lowercase();
    let scoped = (!channel.is_empty()).then(|| format!("{channel}:{bare}"));
    route.identity_links.iter().find_map(|(name, ids)| {
        let hit = ids.iter().map(|id| id.trim().to_lowercase()).any(|id| id == bare || Some(&id) == scoped.as_ref());
        (hit && !name.trim().is_empty()).then_some(name.trim())
    })
}

fn lowered_or_unknown(raw: &str) -> String {
    let lowered = raw.trim().to_lowercase();
    if lowered.is_empty() { "unknown".to_owned() } else { lowered }
}
