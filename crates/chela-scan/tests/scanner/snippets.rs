//! Single files: what counts, how bad it is, and where.

use std::path::Path;

use chela_scan::{Finding, Severity, scan_text};

fn findings(name: &str, source: &str) -> Vec<Finding> {
    let (findings, problem) = scan_text(Path::new(name), source).unwrap();
    assert_eq!(problem, None, "{source}");
    findings
}

/// `rule:severity@line` of all findings, sorted.
fn told(source: &str) -> String {
    let mut all: Vec<_> = findings("a.ts", source).iter().map(|f| format!("{}:{:?}@{}", f.rule_id, f.severity, f.line)).collect();
    all.sort();
    all.join(" ")
}

fn worst(source: &str) -> Option<Severity> {
    findings("a.mjs", source).iter().map(|f| f.severity).max()
}

// INS-212
#[test]
fn programs_that_are_run_are_critical() {
    for call in ["exec", "execSync", "spawn", "spawnSync", "execFile", "execFileSync"] {
        let source = format!("import {{ {call} }} from 'node:child_process';\n\n{call}('ls');");
        assert_eq!(told(&source), "dangerous-exec:Critical@3");
        assert_eq!(worst(&format!("{call}('ls');")), None, "without child_process it is some other function");
    }
    assert_eq!(worst("require('child_process'); /a/.exec('a'); re.exec('b');"), None, "a regular expression's exec");
    assert_eq!(told("const cp = require('child_process');\nre.exec('b');\ncp.exec('ls');"), "dangerous-exec:Critical@3");
    assert_eq!(told("const x = 'child_process';\nobj.spawn('ls');"), "dangerous-exec:Critical@2");
}

#[test]
fn renaming_a_function_hides_nothing() {
    for source in [
        "import { exec as run } from 'child_process'; run('ls');",
        "import * as c from 'node:child_process'; c.execSync('ls');",
        "import c from 'child_process'; c['ex' + 'ec']('ls');",
        "import { promises } from 'child_process'; const { execFile: f } = require('child_process'); f('ls');",
        "const { exec: e } = require('child_process'); e('ls');",
        "const { ['exe' + 'c']: e } = await import('child_process'); e('ls');",
        "const e = require('child_process').exec; e('ls');",
        "const c = require('child' + '_process'); const e = c.exec; const f = e; f('ls');",
        "(await import('node:child_process')).exec('ls');",
        "import('child_process').then(m => m.spawn('ls'));",
        "import { promisify } from 'util'; import { exec } from 'child_process'; const run = promisify(exec); await run('ls');",
        "var c = __toESM(require('child_process')); (0, c.exec)('ls');",
        "const r = createRequire(import.meta.url); const c = r('child_process'); c.execFile('ls');",
        "process.getBuiltinModule('child_process').exec('ls');",
        "const n = 'child_process'; const c = require(n); c.exec('ls');",
        "const c = require(atob('Y2hpbGRfcHJvY2Vzcw==')); const r = c.exec; r('ls');",
        "const c = require(Buffer.from('6368696c645f70726f63657373', 'hex').toString()); c['exec']('ls');",
        "const c = require(['child', 'process'].join('_')); c['exec']('ls');",
        "const c = require('ssecorp_dlihc'.split('').reverse().join('')); c['exec']('ls');",
        "const c = require(String.fromCharCode(99,104,105,108,100,95,112,114,111,99,101,115,115)); c['exec']('ls');",
        "const c = require(`child_${'process'}`); c['exec']?.('ls');",
        "const c = require('child_process'); c.exec.call(null, 'ls');",
        "const c = require('child_process'); const b = c.exec.bind(c); b('ls');",
        "const c = require('child_process'); Reflect.apply(c.exec, c, ['ls']);",
        "import c = require('child_process'); c.spawnSync('ls');",
    ] {
        let found = findings("a.ts", source);
        let found: Vec<_> = found.iter().filter(|f| f.rule_id == "dangerous-exec").collect();
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        // The reference passes these over, so they are warnings with words of their own.
        let is_plain = ["execSync(", "spawn(", "spawnSync(", "execFile("].iter().any(|call| source.contains(call));
        assert_eq!(found[0].severity, if is_plain { Severity::Critical } else { Severity::Warn }, "{source}");
        assert_eq!(found[0].message.contains("under another name"), !is_plain, "{source}");
    }
    let short = "import{exec as e}from'child_process';function f(e){return e(1)}f(x=>x);";
    assert_eq!(worst(short), None, "another variable of that name");
    assert_eq!(told("import { exec } from 'child_process'; helper(exec);"), "dangerous-exec:Warn@1");
    assert_eq!(told("import { fork } from 'child_process'; fork('./x.js');"), "dangerous-exec:Warn@1");
    assert_eq!(worst("import type { exec } from 'child_process'; run(1);".replace("type ", "").as_str()), None, "imported and not used");
}

/// The reference gives a line up at the first method called `exec`: what comes later in minified code must not refuse where it does not.
#[test]
fn what_the_reference_passes_over_is_a_warning() {
    let load = "const c = require('child_process');";
    assert_eq!(told(&format!("{load}re.exec('b');c.execSync('ls');")), "dangerous-exec:Warn@1");
    assert_eq!(told(&format!("{load}re.exec('b');cp.exec('x');c.execSync('ls');")), "dangerous-exec:Critical@1");
    assert_eq!(told(&format!("{load}re.exec('b');\nc.execSync('ls');")), "dangerous-exec:Critical@2");
    assert_eq!(told(&format!("{load}c.execSync\n('ls');")), "dangerous-exec:Warn@1");
    assert_eq!(told("new\nFunction(code);"), "dynamic-code-execution:Warn@1");
}

// INS-213
#[test]
fn text_that_is_run_is_told() {
    for source in [
        "eval(code);",
        "obj.eval(code);",
        "new Function('a', code);",
        "new   Function (code);",
        "(0, eval)(code);",
        "globalThis.eval(code);",
        "globalThis['ev' + 'al'](code);",
        "window.eval?.(code);",
        "const e = eval; e(code);",
        "const { eval: e } = globalThis; e(code);",
        "Function(code)();",
        "new globalThis.Function(code);",
        "const F = Function; new F(code);",
        "(() => {}).constructor(code)();",
        "[].map.constructor.constructor(code)();",
        "Reflect.construct(Function, [code]);",
        "[code].forEach(eval);",
        "eval.call(null, code);",
        "import { Worker } from 'worker_threads'; new Worker(code, { eval: true });",
        "Function('return process.mainModule.require(\"child_process\")')();",
    ] {
        let is_plain = source.contains("eval(") || source.contains("new Function") || source.contains("new   Function");
        let source = format!("let code = get();\n{source}");
        let severity = if is_plain { "Critical" } else { "Warn" };
        assert_eq!(told(&source), format!("dynamic-code-execution:{severity}@2"), "{source}");
    }
    assert_eq!(told("import vm from 'node:vm';\nvm.runInNewContext(code);"), "dynamic-code-execution:Warn@2");
    assert_eq!(told("import { Script } from 'vm';\nnew Script(code);"), "dynamic-code-execution:Warn@2");
    assert_eq!(told("const root = Function('return this')();"), "dynamic-code-execution:Info@1", "constant text is judged itself");
    for fine in ["const f = x instanceof Function;", "function evaluate(a) {} evaluate(1);", "isType(x, Function);", "medieval (1);"] {
        assert_eq!(told(fine), "", "{fine}");
    }
}

// INS-214
#[test]
fn miners_are_critical_in_any_case() {
    for name in ["stratum+tcp", "stratum+ssl", "coinhive", "cryptonight", "xmrig", "CoinHive", "XMRig"] {
        assert_eq!(told(&format!("\nconst a = '{name}://x';")), "crypto-mining:Critical@2");
    }
}

// INS-215, INS-219
#[test]
fn the_environment_near_a_network_send_is_critical() {
    let apart = |lines: usize| format!("const k = process.env.KEY;{}fetch(u, k);", "\n".repeat(lines));
    assert_eq!(told(&apart(0)), "env-harvesting:Critical@1");
    assert_eq!(told(&apart(8)), "env-harvesting:Critical@1");
    assert_eq!(told(&apart(9)), "");
    let after = format!("fetch(u);{}process.env.KEY;", "\n".repeat(8));
    assert_eq!(told(&after), "env-harvesting:Critical@9");
    for send in ["fetch(u)", "post(u)", "axios.post(u)", "client . post (u)", "http.request(u)"] {
        assert_eq!(told(&format!("{send};\nprocess.env.A;")), "env-harvesting:Critical@2", "{send}");
    }
    for other in ["prefetch(u)", "fetcher(u)", "http.get(u)", "poster(u)"] {
        assert_eq!(told(&format!("{other};\nprocess.env.A;")), "", "{other}");
    }
    for alias in [
        "const { env } = process;\nfetch(env.KEY);",
        "import { env as e } from 'node:process';\nfetch(e.KEY);",
        "const f = globalThis['fetch'];\nf(u, process.env.KEY);",
        "import http from 'http'; const r = http['request'];\nr(u, process['env'].KEY);",
        "const p = process;\nfetch(u, p.env.KEY);",
    ] {
        assert_eq!(told(alias), "env-harvesting:Warn@2", "{alias}");
    }
    assert_eq!(told("import https from 'https';\nhttps.request(u, process.env.KEY);"), "env-harvesting:Warn@2");
    assert_eq!(told("send(JSON.stringify(process.env));"), "env-harvesting:Warn@1");
}

// INS-216, INS-217, INS-218
#[test]
fn suspicious_code_is_a_warning() {
    for port in ["80", "443", "8080", "8443", "3000"] {
        assert_eq!(told(&format!("new WebSocket('ws://h:{port}/x');")), "");
    }
    for socket in ["new WebSocket('ws://h:4444');", "new WebSocket ( \"wss://h:9/x\" );", "new WebSocket(`ws://h:${1}4444`);"] {
        let expected = if socket.contains('$') { "" } else { "suspicious-network:Warn@1" };
        assert_eq!(told(socket), expected, "{socket}");
    }
    assert_eq!(told("const a = 'ws://h' + ':4444';\nnew WebSocket(a);"), "suspicious-network:Warn@2");
    assert_eq!(told("import { readFileSync } from 'fs';\n\nfetch(u);"), "potential-exfiltration:Warn@1");
    assert_eq!(told("fs.readFile(p);"), "");
    assert_eq!(told(r"const a = '\x41\x42\x43\x44\x45\x46';"), "obfuscated-code:Warn@1");
    assert_eq!(told(r"const a = '\x41\x42\x43\x44\x45';"), "");
    let payload = "QUJD".repeat(50);
    for call in
        [format!("atob('{payload}');"), format!("Buffer.from(\"{payload}\", 'base64');"), format!("const p = '{payload}'; atob(p);")]
    {
        assert_eq!(told(&call), "obfuscated-code:Warn@1", "{call}");
    }
    assert_eq!(told(&format!("atob('{}');", &payload[..196])), "");
}

// INS-220
#[test]
fn comments_and_strings_are_told_and_refuse_nothing() {
    assert_eq!(told("// never call eval(x)\nf();"), "dynamic-code-execution:Info@1");
    assert_eq!(told("/* uses child_process: spawn('ls') */"), "dangerous-exec:Info@1");
    assert_eq!(told("const help = 'do not eval(x)';"), "dynamic-code-execution:Info@1");
    assert_eq!(told("const help = `do not eval(x)`;"), "dynamic-code-execution:Info@1");
    assert_eq!(told("const help = `do ${eval(x)}`;"), "dynamic-code-execution:Critical@1");
    assert_eq!(told("// pool: stratum+tcp"), "crypto-mining:Info@1");
    // Rules of whole files see no comments at all.
    assert_eq!(told("// process.env\nfetch(u);"), "");
    assert_eq!(told("process.env.A;\n// fetch(u)"), "");
    assert_eq!(told("// readFile\nfetch(u);"), "");
    assert_eq!(told("throw new Error('set process.env.KEY'); fetch(u);"), "env-harvesting:Info@1");
    // A comment mark in a string or a regular expression hides nothing.
    assert_eq!(told("const u = 'http://x'; eval(u);"), "dynamic-code-execution:Critical@1");
    assert_eq!(told("const r = /\\/\\/'/; eval(r); // '"), "dynamic-code-execution:Critical@1");
}

// INS-221
#[test]
fn a_rule_tells_once_and_its_evidence_is_short() {
    let source = format!("// eval(a)\n   eval({});   \neval(b);", "x".repeat(200));
    let found = findings("dir/a.js", &source);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].file.as_path()), (2, Path::new("dir/a.js")), "the worst, and of those the first");
    assert_eq!(found[0].evidence.chars().count(), 121);
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(json["ruleId"], "dynamic-code-execution");
    assert_eq!(json["severity"], "critical");
    assert_eq!(json["message"], "Dynamic code execution detected");
    assert_eq!(json["line"], 2);
    assert!(json["file"].is_string() && json["evidence"].as_str().unwrap().starts_with("eval(xxx"));
}

#[test]
fn a_file_that_does_not_parse_is_searched_as_text_and_named() {
    let (found, problem) = scan_text(Path::new("a.js"), "let = = ; eval(x)").unwrap();
    assert_eq!(found[0].severity, Severity::Critical);
    assert!(problem.unwrap().starts_with("does not parse (line 1: "));
    let deep = format!("{}eval(x)", "(".repeat(500_000));
    let (found, problem) = scan_text(Path::new("a.js"), &deep).unwrap();
    assert_eq!(found[0].severity, Severity::Critical);
    assert!(problem.unwrap().contains("nests deeper"));
}

#[test]
fn every_dialect_of_the_extensions_is_parsed() {
    for (name, source) in [
        ("a.js", "const a = 1; return a;"),
        ("a.js", "with (a) { b }"),
        ("a.js", "import a from 'b'; await a; export default <b>c</b>;"),
        ("a.cjs", "module.exports = 010; return;"),
        ("a.mjs", "export const a = await b;"),
        ("a.ts", "enum A { B } const c = <any>d; abstract class E { private f!: string }"),
        ("a.tsx", "const a: JSX.Element = <A<B> c={d as e} />;"),
        ("a.jsx", "const a = <>b</>;"),
        ("a.cts", "import a = require('b'); export = a;"),
        ("a.mts", "export type { A } from 'b'; import { type C } from 'd';"),
        ("A.JS", "#!/usr/bin/env node\nrequire('x')"),
    ] {
        assert_eq!(scan_text(Path::new(name), source).unwrap().1, None, "{name}: {source}");
    }
}

/// What is just within the estimate of nesting must not exhaust the stack.
#[test]
fn deep_code_within_the_limits_is_parsed() {
    for (open, tokens) in [
        ("!", 1),
        ("a=>", 3),
        ("1+", 2),
        ("a?a:", 4),
        ("a.", 2),
        ("x=", 2),
        ("typeof ", 1),
        ("x**", 3),
        ("if(1)", 1),
        ("y:", 2),
        ("await ", 1),
        ("new ", 1),
        ("if(a){}else ", 2),
    ] {
        let source = format!("{}x", open.repeat(59_000 / tokens));
        let (found, problem) = scan_text(Path::new("a.mjs"), &source).unwrap();
        assert!(found.is_empty());
        assert!(problem.is_none_or(|text| !text.contains("nests")), "{open}");
    }
    for (open, close) in [("(", ")"), ("[", "]"), ("{a:", "}"), ("f(", ")"), ("()=>{", "}"), ("`${", "}`"), ("<a>", "</a>")] {
        let source = format!("x={}1{}", open.repeat(320), close.repeat(320));
        let (_, problem) = scan_text(Path::new("a.jsx"), &source).unwrap();
        assert_eq!(problem, None, "{open}");
    }
}
