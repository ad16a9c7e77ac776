mod model;

use proptest::prelude::*;

use super::*;

fn merge(hook: HookName, event: &Value, results: &[(&str, Value)]) -> (Value, Option<String>, usize) {
    let mut acc = Accumulator::new(hook);
    let mut called = 0;
    for (plugin, result) in results {
        called += 1;
        if acc.push(&Arc::from(*plugin), result, false) {
            break;
        }
    }
    let (merged, by) = acc.finish(&SharedJson::new(event.clone()));
    (merged, by.map(|b| b.to_string()), called)
}

// HOOK-012..047, HOOK-153..157, HOOK-164, HOOK-165
#[test]
fn the_merge_rules_of_the_table() {
    use HookName::*;
    let cases: Vec<(HookName, Vec<Value>, Value, usize)> = vec![
        (
            BeforeModelResolve,
            vec![json!({"modelOverride": "a"}), json!({"modelOverride": "b", "providerOverride": "p"}), json!({"providerOverride": "q"})],
            json!({"modelOverride": "a", "providerOverride": "p"}),
            3,
        ),
        (BeforeModelResolve, vec![json!({"modelOverride": null}), json!(7), json!([])], Value::Null, 3),
        (
            AgentTurnPrepare,
            vec![
                json!({"prependContext": "a", "appendContext": "x", "systemPrompt": "no"}),
                json!({"prependContext": ""}),
                json!({"prependContext": "b"}),
            ],
            json!({"prependContext": "a\n\nb", "appendContext": "x"}),
            3,
        ),
        (
            HeartbeatPromptContribution,
            vec![json!({"appendContext": "a"}), json!({"appendContext": "b"})],
            json!({"appendContext": "a\n\nb"}),
            2,
        ),
        (
            BeforePromptBuild,
            vec![
                json!({"systemPrompt": "s", "prependSystemContext": "1"}),
                json!({"systemPrompt": "t", "prependSystemContext": "2", "appendSystemContext": "3"}),
            ],
            json!({"systemPrompt": "s", "prependSystemContext": "1\n\n2", "appendSystemContext": "3"}),
            2,
        ),
        (
            BeforeAgentStart,
            vec![json!({"modelOverride": "m", "prependContext": "a"}), json!({"prependContext": "b", "modelOverride": "n"})],
            json!({"modelOverride": "m", "prependContext": "a\n\nb"}),
            2,
        ),
        (BeforeAgentStart, vec![json!({})], json!({}), 1),
        (
            BeforeAgentReply,
            vec![json!({"handled": false, "reply": 1}), json!({"handled": "y", "reply": 2}), json!({"handled": true})],
            json!({"handled": "y", "reply": 2}),
            2,
        ),
        (BeforeDispatch, vec![json!({"text": "t"})], Value::Null, 1),
        (ReplyDispatch, vec![json!({"handled": true, "counts": {}})], json!({"handled": true, "counts": {}}), 1),
        (
            BeforeToolCall,
            vec![json!({"params": {"b": 2}, "block": false}), json!({"params": {"c": 3}, "blockReason": "r"})],
            json!({"params": {"a": 1, "c": 3}, "blockReason": "r"}),
            2,
        ),
        (BeforeToolCall, vec![json!({"block": "yes"}), json!({"params": "bad"})], Value::Null, 2),
        // API-247: an object asks for an approval, `true` does not.
        (BeforeToolCall, vec![json!({"requireApproval": true})], Value::Null, 1),
        (
            BeforeToolCall,
            vec![json!({"block": true, "blockReason": "no"}), json!({"block": false})],
            json!({"block": true, "blockReason": "no"}),
            1,
        ),
        (
            MessageSending,
            vec![json!({"content": "a", "metadata": {"x": 1}}), json!({"content": "b", "cancelReason": "r"})],
            json!({"content": "b", "metadata": {"x": 1}, "cancelReason": "r"}),
            2,
        ),
        (MessageSending, vec![json!({"cancel": true}), json!({"content": "b"})], json!({"cancel": true}), 1),
        (
            ReplyPayloadSending,
            vec![json!({"payload": {"text": "a"}}), json!({"payload": "none", "reason": "r"})],
            json!({"payload": {"text": "a"}, "reason": "r"}),
            2,
        ),
        (ReplyPayloadSending, vec![json!({"cancel": true}), json!({"payload": {}})], json!({"cancel": true}), 1),
        (ResolveExecEnv, vec![json!({"A": "1", "B": "2"}), json!({"B": "3", "C": 4})], json!({"A": "1", "B": "3"}), 2),
        (
            BeforeInstall,
            vec![json!({"findings": [1], "blockReason": "a"}), json!({"findings": []}), json!({"findings": [2], "block": true}), json!({})],
            json!({"findings": [1, 2], "blockReason": "a", "block": true}),
            3,
        ),
        (
            SubagentSpawning,
            vec![json!({"status": "ok", "deliveryOrigin": 1}), json!({"status": "ok", "threadBindingReady": true, "deliveryOrigin": 2})],
            json!({"status": "ok", "threadBindingReady": true, "deliveryOrigin": 1}),
            2,
        ),
        (
            SubagentSpawning,
            vec![json!({"status": "error", "error": "e"}), json!({"status": "error", "error": "f"}), json!({"status": "ok"})],
            json!({"status": "error", "error": "e"}),
            3,
        ),
        (
            SubagentDeliveryTarget,
            vec![json!({}), json!({"origin": {"to": 1}}), json!({"origin": {"to": 2}})],
            json!({"origin": {"to": 1}}),
            3,
        ),
        (
            BeforeAgentFinalize,
            vec![json!({"action": "continue", "reason": "c"}), json!({})],
            json!({"action": "continue", "reason": "c"}),
            2,
        ),
        (
            BeforeAgentFinalize,
            vec![
                json!({"action": "revise", "reason": "a", "retry": {"instruction": " "}}),
                json!({"action": "continue"}),
                json!({"action": "revise", "reason": "b"}),
            ],
            json!({"action": "revise", "reason": "a\n\nb"}),
            3,
        ),
        (
            BeforeAgentFinalize,
            vec![
                json!({"action": "revise", "reason": "a", "retry": {"instruction": "one"}}),
                json!({"action": "revise", "retry": {"instruction": "two "}}),
            ],
            json!({"action": "revise", "reason": "a", "retry": {"instruction": "one"}, "retryCandidates": [{"instruction": "one"}, {"instruction": "two"}]}),
            2,
        ),
        (
            BeforeAgentFinalize,
            vec![
                json!({"action": "revise", "reason": "a"}),
                json!({"action": "finalize", "reason": "f"}),
                json!({"action": "revise", "reason": "z"}),
            ],
            json!({"action": "finalize", "reason": "f"}),
            3,
        ),
        (
            BeforeAgentRun,
            vec![json!({"outcome": "pass"}), json!({"outcome": "block", "reason": "r"}), json!("x")],
            json!({"outcome": "block", "reason": "r"}),
            2,
        ),
        (BeforeAgentRun, vec![json!({"outcome": "pass"}), json!({"outcome": "pass"})], json!({"outcome": "pass"}), 2),
        (
            ToolResultPersist,
            vec![json!({"message": {"a": 1}}), json!({"message": null}), json!({"block": true})],
            json!({"message": {"a": 1}}),
            3,
        ),
        (AgentEnd, vec![json!({"x": 1})], Value::Null, 1),
    ];
    let event = json!({"params": {"a": 1}});
    for (hook, results, merged, called) in cases {
        let named: Vec<_> = results.iter().map(|r| ("p", r.clone())).collect();
        let (got, _, calls) = merge(hook, &event, &named);
        assert_eq!((&got, calls), (&merged, called), "{hook} {results:?}");
    }
}

// HOOK-145
#[test]
fn an_invalid_decision_is_a_block_of_that_plugin() {
    let (merged, by, _) =
        merge(HookName::BeforeAgentRun, &Value::Null, &[("a", json!({"outcome": "pass"})), ("b", json!({"outcome": "pass", "x": 1}))]);
    assert_eq!((merged["outcome"].as_str(), by.as_deref()), (Some("block"), Some("b")));
}

fn maybe(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
    prop::option::of(values)
}

fn object(parts: &[(&str, &Option<Value>)]) -> Value {
    Value::Object(parts.iter().filter_map(|(k, v)| Some(((*k).to_string(), (*v).clone()?))).collect())
}

fn text() -> impl Strategy<Value = Value> {
    "[a-c]{0,2}".prop_map(Value::from)
}

prop_compose! {
    fn tool_result()(plugin in 0..3_usize, x in maybe((0..9).prop_map(|n| json!({"x": n}))), reason in maybe(text()),
        approval in maybe((0..9).prop_map(|n| json!({"title": n}))), block in maybe(prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!("t"))]))
        -> (usize, Value) {
        (plugin, object(&[("params", &x), ("blockReason", &reason), ("requireApproval", &approval), ("block", &block)]))
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

proptest! {
    // HOOK-025, HOOK-110, HOOK-164, HOOK-170, HOOK-171: against a model that looks at the whole list.
    #[test]
    fn tool_calls_against_a_model(results in prop::collection::vec(tool_result(), 0..6)) {
        let named: Vec<_> = results.iter().map(|(p, r)| (NAMES[*p], r.clone())).collect();
        let (merged, _, called) = merge(HookName::BeforeToolCall, &json!({"params": {"keep": 0}}), &named);
        let stop = results.iter().position(|(_, r)| r.get("block") == Some(&json!(true)));
        prop_assert_eq!(called, stop.map_or(results.len(), |i| i + 1));
        let reached = &results[..called];
        prop_assert_eq!(merged.get("block").is_some(), stop.is_some());
        let asks = reached.iter().position(|(_, r)| r.get("requireApproval").is_some());
        let requester = asks.map(|i| reached[i].0);
        prop_assert_eq!(merged.get("requireApproval").map(|a| a["pluginId"].clone()), requester.map(|p| json!(NAMES[p])));
        let counts = |i: usize, p: usize| asks.is_none_or(|at| i <= at) || requester == Some(p);
        let x = reached.iter().enumerate().filter(|(i, (p, _))| counts(*i, *p)).filter_map(|(_, (_, r))| r.get("params")).next_back();
        let expected = x.map(|x| json!({"keep": 0, "x": x["x"]}));
        prop_assert_eq!(merged.get("params"), expected.as_ref());
        let reason = reached.iter().filter_map(|(_, r)| r.get("blockReason")).next_back();
        prop_assert_eq!(merged.get("blockReason"), reason);
    }

    // HOOK-013, HOOK-015
    #[test]
    fn contexts_are_joined_in_order(results in prop::collection::vec((maybe(text()), maybe(text())), 0..6)) {
        let named: Vec<_> = results.iter().map(|(a, s)| ("p", object(&[("prependContext", a), ("systemPrompt", s)]))).collect();
        let (merged, ..) = merge(HookName::BeforePromptBuild, &Value::Null, &named);
        let parts: Vec<&str> = results.iter().filter_map(|(a, _)| a.as_ref()?.as_str()).filter(|t| !t.is_empty()).collect();
        let joined = (!parts.is_empty()).then(|| json!(parts.join("\n\n")));
        prop_assert_eq!(merged.get("prependContext"), joined.as_ref());
        prop_assert_eq!(merged.get("systemPrompt"), results.iter().find_map(|(_, s)| s.as_ref()));
    }

    // HOOK-038, HOOK-110
    #[test]
    fn outbound_messages_against_a_model(results in prop::collection::vec((maybe(text()), any::<Option<bool>>()), 0..6)) {
        let named: Vec<_> = results.iter().map(|(c, x)| ("p", object(&[("content", c), ("cancel", &x.map(Value::from))]))).collect();
        let (merged, _, called) = merge(HookName::MessageSending, &Value::Null, &named);
        let stop = results.iter().position(|(_, x)| *x == Some(true));
        prop_assert_eq!(called, stop.map_or(results.len(), |i| i + 1));
        prop_assert_eq!(merged.get("cancel").is_some(), stop.is_some());
        prop_assert_eq!(merged.get("content"), results[..called].iter().filter_map(|(c, _)| c.as_ref()).next_back());
    }

    // Whatever plugins return, merging neither panics nor yields anything but an object or nothing.
    #[test]
    fn any_result_is_survived(hook in 0..HookName::ALL.len(), results in prop::collection::vec(any_json(), 0..5)) {
        let named: Vec<_> = results.into_iter().map(|r| ("p", r)).collect();
        let (merged, ..) = merge(HookName::ALL[hook], &Value::Null, &named);
        prop_assert!(merged.is_null() || merged.is_object());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from), text()];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop::sample::select(vec![
            "action",
            "retry",
            "instruction",
            "retryCandidates",
            "reason",
            "params",
            "block",
            "findings",
            "requireApproval",
            "pluginId",
            "message",
            "handled",
            "outcome",
            "status",
            "origin",
            "cancel",
            "prependContext",
            "threadBindingReady",
        ]);
        let map = prop::collection::vec((key, inner.clone()), 0..4)
            .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect()));
        prop_oneof![prop::collection::vec(inner, 0..3).prop_map(Value::from), map]
    })
}
