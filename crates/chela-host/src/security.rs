//! What plugins find when the security of this installation is looked at: `registerSecurityAuditCollector` (API-064).

use std::time::Duration;

use chela_plugin::value::gateway_config;
use chela_plugin::{Adapter, Call};
use serde::Serialize;
use serde_json::{Value, json};

use crate::assemble::Host;
use crate::visible::masked_for;

/// Longest look of one collector.
const BUDGET: Duration = Duration::from_secs(30);
/// Most findings of one collector.
const MOST: usize = 200;
/// Longest text of a finding, in characters.
const LONGEST: usize = 4000;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be done something about at once.
    Critical,
    /// To be looked at.
    Warn,
    /// To be known.
    Info,
}

/// One finding of a security audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityFinding {
    /// Stable name of the check, such as `gateway.bind_no_auth`.
    pub check_id: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What was found.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
}

impl SecurityFinding {
    /// A finding without advice.
    pub fn new(check_id: impl Into<String>, severity: Severity, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check_id: check_id.into(), severity, title: title.into(), detail: detail.into(), remediation: None }
    }

    /// With what to do.
    #[must_use]
    pub fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remediation = Some(text.into());
        self
    }
}

impl Host {
    /// Asks the collectors of the plugins that run, side by side. One that fails is a finding of its own.
    pub async fn security_findings(&self) -> Vec<SecurityFinding> {
        let registry = self.manager.registry();
        let (config, snapshot) = (self.runtime.config(), self.manager.snapshot());
        let asked = registry.audit_collectors.iter().map(|entry| {
            let plugin = &entry.owner.id;
            let ctx = json!({
                "config": gateway_config(), "sourceConfig": masked_for(snapshot.find(plugin), &config.source),
                "stateDir": self.paths.state_dir, "configPath": self.paths.config_path,
            });
            let call = Call::new(vec![ctx]).adapter(Adapter::Env).budget(Some(BUDGET));
            async move {
                let answer = entry.collector.call(call).await.map_err(|error| error.to_string());
                answer.and_then(|answer| read(&answer)).unwrap_or_else(|why| {
                    let id = format!("plugins.{plugin}.security_audit_failed");
                    let title = "Plugin security audit collector failed";
                    vec![SecurityFinding::new(id, Severity::Warn, title, format!("{plugin}: {why}"))]
                })
            }
        });
        futures::future::join_all(asked).await.into_iter().flatten().collect()
    }
}

fn read(answer: &Value) -> Result<Vec<SecurityFinding>, String> {
    let rows = answer.as_array().ok_or("it gave no list of findings")?;
    rows.iter().take(MOST).map(finding).collect()
}

fn finding(row: &Value) -> Result<SecurityFinding, String> {
    let text =
        |key: &str| row[key].as_str().map(|text| text.trim().chars().take(LONGEST).collect::<String>()).filter(|text| !text.is_empty());
    let needed = |key: &str| text(key).ok_or_else(|| format!("a finding of it has no `{key}`"));
    let severity = match row["severity"].as_str() {
        Some("critical") => Severity::Critical,
        Some("warn") => Severity::Warn,
        Some("info") => Severity::Info,
        _ => return Err("the `severity` of a finding of it is none of `critical`, `warn`, `info`".into()),
    };
    Ok(SecurityFinding {
        check_id: needed("checkId")?,
        severity,
        title: needed("title")?,
        detail: text("detail").unwrap_or_default(),
        remediation: text("remediation"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-064
    #[test]
    fn findings_are_read_strictly() {
        let whole = json!({"checkId": "p.x", "severity": "warn", "title": "T", "detail": "D", "remediation": "R"});
        let expected = SecurityFinding::new("p.x", Severity::Warn, "T", "D").remedy("R");
        assert_eq!(read(&json!([whole])), Ok(vec![expected]));
        for (row, why) in [
            (json!({}), "it gave no list of findings"),
            (json!([{"severity": "warn", "title": "T"}]), "a finding of it has no `checkId`"),
            (
                json!([{"checkId": "x", "severity": "bad", "title": "T"}]),
                "the `severity` of a finding of it is none of `critical`, `warn`, `info`",
            ),
        ] {
            assert_eq!(read(&row), Err(why.to_string()), "{row}");
        }
    }
}
