//! The tools that the reference ships, by section, and the profiles made of them (TOOL-01..TOOL-07). Not all of them are built here;
//! the names are known so that lists which name them mean what they mean there.

/// A section with its tools.
pub const SECTIONS: &[(&str, &[&str])] = &[
    ("fs", &["read", "write", "edit", "apply_patch"]),
    ("runtime", &["exec", "process", "code_execution"]),
    ("web", &["web_search", "web_fetch", "x_search"]),
    ("memory", &["memory_search", "memory_get"]),
    (
        "sessions",
        &["sessions_list", "sessions_history", "sessions_send", "sessions_spawn", "sessions_yield", "subagents", "session_status"],
    ),
    ("ui", &["browser", "canvas"]),
    ("messaging", &["message"]),
    ("automation", &["heartbeat_respond", "cron", "gateway"]),
    ("nodes", &["nodes"]),
    ("agents", &["agents_list", "update_plan"]),
    ("media", &["image", "image_generate", "music_generate", "video_generate", "tts"]),
];

/// Shipped by the reference in no section.
const UNSECTIONED: &[&str] = &["pdf", "tool_search_code", "tool_search", "tool_describe", "tool_call"];

/// Only for the operator, whoever brings a tool of this name (TOOL-17).
const OWNERS: &[&str] = &["cron", "gateway", "nodes"];

/// What `group:openclaw` leaves out (TOOL-02).
const NOT_OPENCLAW: &[&str] = &["read", "write", "edit", "apply_patch", "exec", "process", "canvas"];

/// The tools of a section.
pub fn section(name: &str) -> Option<&'static [&'static str]> {
    SECTIONS.iter().find(|(section, _)| *section == name).map(|(_, tools)| *tools)
}

/// Every tool of the reference, whether it is built here or not.
pub fn all() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().flat_map(|(_, tools)| tools.iter().copied()).chain(UNSECTIONED.iter().copied())
}

/// True for a tool of the reference, whether it is built here or not.
pub fn ships(tool: &str) -> bool {
    UNSECTIONED.contains(&tool) || SECTIONS.iter().any(|(_, tools)| tools.contains(&tool))
}

/// True for a tool that only the operator may use, by its name.
pub fn is_owners(tool: &str) -> bool {
    OWNERS.contains(&tool.trim().to_ascii_lowercase().as_str())
}

/// True when `group:openclaw` stands for this tool.
pub fn is_openclaw(tool: &str) -> bool {
    ships(tool) && !NOT_OPENCLAW.contains(&tool)
}

/// What a profile permits; `None` for one that restricts nothing, which an unknown one does not either (TOOL-07).
pub fn profile(name: &str) -> Option<Vec<String>> {
    let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    match name.trim().to_ascii_lowercase().as_str() {
        "minimal" => Some(own(&["session_status"])),
        "messaging" => Some(own(&["message", "sessions_list", "sessions_history", "sessions_send", "session_status", "bundle-mcp"])),
        "coding" => Some(own(&[
            "group:fs",
            "group:runtime",
            "group:web",
            "group:memory",
            "group:sessions",
            "cron",
            "update_plan",
            "image",
            "image_generate",
            "music_generate",
            "video_generate",
            "bundle-mcp",
        ])),
        _ => None,
    }
}

/// True for a name that [`profile`] knows.
pub fn is_profile(name: &str) -> bool {
    matches!(name.trim().to_ascii_lowercase().as_str(), "minimal" | "messaging" | "coding" | "full")
}
