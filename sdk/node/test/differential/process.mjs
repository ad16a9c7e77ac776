// Rows for facts of the process, days, identities and JSON files below a root.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pick, scalar, text } from './kit.mjs';

const rootDir = path.join(os.tmpdir(), 'chela-differential-root');
fs.mkdirSync(rootDir, { recursive: true });
for (const [name, body] of [['a.json', '{"a":1}'], ['b.json', '[1]'], ['c.json', '{broken']]) fs.writeFileSync(path.join(rootDir, name), body);
const file = () => [{ rootDir, relativePath: pick(['a.json', 'b.json', 'c.json', 'none.json', '../outside.json']), boundaryLabel: 'root' }];
/** Why a file could not be opened is told in other words. */
const read = ({ failure, stat, error, ...rest }) => ({ ...rest, size: stat?.size, failed: failure && true, error: error?.replace(/SyntaxError.*/, '') });
const agents = () => ({ agents: { defaults: pick([undefined, {}, { heartbeat: { every: '1h' } }]), list: pick([undefined, [{ id: 'Main', default: true }, { id: 'two', heartbeat: pick([undefined, {}]) }]]) } });

export default [
  ['infra-runtime', ['normalizeOutboundIdentity'], () => [pick([undefined, {}, { name: text(), emoji: text(), avatarUrl: text(), theme: scalar() }])]],
  ['infra-runtime', ['readRootJsonSync', 'readRootJsonObjectSync'], file, read, 20],
  ['infra-runtime', ['isHeartbeatEnabledForAgent'], () => [agents(), pick([undefined, 'main', 'Two', 'x'])]],
  ['infra-runtime', ['toErrorObject'], () => [pick([scalar(), new Error('e'), { code: 'X' }]), 'fallback'], ({ message, code, name }) => [message, code, name]],
  ['infra-runtime', ['resolveEnvNormalizationKeys'], () => [pick(['ZAI_API_KEY', 'Z_AI_API_KEY', 'x'])]],
  ['infra-runtime', ['isWSL'], () => [], undefined, 1],
  ['agent-runtime', ['formatDateStamp'], () => [pick([0, 1_700_000_000_000, 1_767_225_599_000]), pick(['UTC', 'Europe/Vienna', 'America/Los_Angeles'])]],
  ['agent-runtime', ['formatMissingAuthError'], () => [{ mode: text(), source: text() }, text()]],
  ['agent-runtime', ['toolProgressResult'], () => [{ text: text(), id: pick([undefined, 'i']) }]],
];
