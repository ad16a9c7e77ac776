//! `web_search` and `web_fetch` (TOOL-47..51).

use std::sync::Weak;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use super::{alive, json_result, param, scope, words};
use crate::host::Surroundings;
use crate::kind::{Capability, Provider};
use crate::params::Params;
use crate::web::fetch::{self, Cache, Request};
use crate::web::{Part, search};

/// Searches with the providers of plugins.
pub(super) struct SearchTool(pub(super) Weak<dyn Surroundings>);

impl std::fmt::Debug for SearchTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchTool")
    }
}

#[async_trait]
impl HostTool for SearchTool {
    fn name(&self) -> &'static str {
        Part::Search.tool()
    }

    fn describe(&self, registry: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        let on = Provider::any(registry, Capability::WebSearch) && Part::Search.on(self.0.upgrade()?.as_ref());
        if !on {
            return None;
        }
        let fields = json!({"type": "object", "required": ["query"], "properties": {
            "query": param("string", "What to look for"),
            "count": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How many results"},
            "country": param("string", "Two-letter code of the country whose results are wanted"),
            "language": param("string", "Two-letter code of the language of the results"),
            "freshness": words(&["day", "week", "month", "year"], "Only results of this time"),
            "date_after": param("string", "Only results after this day (YYYY-MM-DD)"),
            "date_before": param("string", "Only results before this day (YYYY-MM-DD)"),
            "search_lang": param("string", "Language of the search, for providers that know it"),
            "ui_lang": param("string", "Language of the page, for providers that know it"),
            "domain_filter": {"type": "array", "items": {"type": "string"}, "description": "Only these domains, for providers that know it"},
            "max_tokens": {"type": "integer", "minimum": 1, "description": "Most tokens of all results, for providers that know it"},
            "max_tokens_per_page": {"type": "integer", "minimum": 1, "description": "Most tokens of one page, for providers that know it"},
        }});
        Some(HostToolSpec {
            label: "Web search".into(),
            description: "Search the web for current information".into(),
            parameters: fields,
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.0)?;
        Params(&call.params).needed("query")?;
        let scope = scope(host.as_ref(), &call);
        let found = search::search(&scope, &json!({"args": spelled(&call.params)})).await.map_err(|e| e.to_string())?;
        let mut details = found["result"].clone();
        details["provider"] = found["provider"].clone();
        Ok(json_result(details))
    }
}

/// Parameters of two words. Providers read them with an underscore, and models write them as they do for other tools (TOOL-F7).
const TWO_WORDS: &[(&str, &str)] = &[
    ("dateAfter", "date_after"),
    ("dateBefore", "date_before"),
    ("searchLang", "search_lang"),
    ("uiLang", "ui_lang"),
    ("domainFilter", "domain_filter"),
    ("maxTokens", "max_tokens"),
    ("maxTokensPerPage", "max_tokens_per_page"),
];

fn spelled(params: &Value) -> Value {
    let mut out = params.clone();
    if let Some(map) = out.as_object_mut() {
        for (own, name) in TWO_WORDS {
            if let Some(value) = map.shift_remove(*own)
                && !map.contains_key(*name)
            {
                map.insert((*name).into(), value);
            }
        }
    }
    out
}

/// Reads pages.
pub(super) struct FetchTool {
    pub(super) host: Weak<dyn Surroundings>,
    pub(super) cache: Cache,
}

impl std::fmt::Debug for FetchTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FetchTool")
    }
}

#[async_trait]
impl HostTool for FetchTool {
    fn name(&self) -> &'static str {
        Part::Fetch.tool()
    }

    fn describe(&self, _: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        Part::Fetch.on(self.host.upgrade()?.as_ref()).then(|| HostToolSpec {
            label: "Web fetch".into(),
            description: "Read a web page as text".into(),
            parameters: json!({"type": "object", "required": ["url"], "properties": {
                "url": param("string", "http or https address"),
                "extractMode": words(&["markdown", "text"], "Form of the text; `markdown` when absent"),
                "maxChars": {"type": "integer", "minimum": 100, "description": "Most characters of the result"},
            }}),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.host)?;
        let params = Params(&call.params);
        let plain = params.word("extractMode", &["markdown", "text"])?.as_deref() == Some("text");
        let max_chars = params.whole("maxChars", 100, u64::MAX)?;
        let request = Request { url: params.needed("url")?, plain, max_chars };
        let scope = scope(host.as_ref(), &call);
        fetch::fetch(&scope, &self.cache, &request).await.map(json_result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // TOOL-F7
    #[test]
    fn both_spellings_reach_a_search_provider() {
        let args = json!({"query": "q", "dateAfter": "2026-01-01", "maxTokens": 5, "max_tokens": 7, "domain_filter": ["x"]});
        let want = json!({"query": "q", "date_after": "2026-01-01", "max_tokens": 7, "domain_filter": ["x"]});
        assert_eq!(spelled(&args), want);
    }
}
