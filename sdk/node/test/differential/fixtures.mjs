// Rows for diagnostics, nodes, memory files and fixtures of tests.
import os from 'node:os';
import { list, pick, random, scalar, text } from './kit.mjs';

const flag = () => pick([undefined, true, false]);
const content = () => pick([undefined, true, false, { enabled: flag(), inputMessages: flag(), outputMessages: flag(), toolInputs: flag(), toolOutputs: flag(), systemPrompt: flag(), toolDefinitions: flag() }]);
const provider = () => ({ id: 'p', capabilities: { supportedDurationSeconds: pick([undefined, [4, 8, 12]]), supportedDurationSecondsByModel: pick([undefined, { m: [5, 10] }]), imageToVideo: pick([undefined, { supportedDurationSeconds: [3] }]) } });
const models = () => pick([undefined, 'a/b', { primary: pick(['Google/x', 'x', undefined]), fallbacks: list(() => pick(['a/', '/b', ' q/w ', 'q/e'])) }]);
const places = [['bundledPluginRoot', 1], ['bundledPluginRootAt', 2], ['bundledPluginFile', 2], ['bundledPluginFileAt', 3], ['bundledPluginDirPrefix', 2], ['bundledDistPluginRoot', 1], ['bundledDistPluginFile', 2], ['repoInstallSpec', 1]];
const NONE = os.tmpdir() + '/no-such-workspace';

export default [
  ['gateway-runtime', ['errorShape'], () => [text(), text(), pick([undefined, { details: 1 }])]],
  ['gateway-runtime', ['isNodeCommandAllowed'], () => [{ command: pick(['a', ' b ', '', 'c']), declaredCommands: pick([undefined, [], ['a'], ['b', 'c']]), allowlist: new Set(['a', 'b']) }]],
  ['gateway-runtime', ['buildPluginNodeCapabilityScopedHostUrl'], () => [pick(['http://h/', 'https://h:1/a/?x=1#y', 'no url']), text()]],
  ['gateway-runtime', ['normalizePluginNodeCapabilityScopedUrl'], () => [pick(['/x?oc_cap=w', '/__openclaw__/cap/w/a?b=1', '/__openclaw__/cap/w', '/__openclaw__/cap//a', '/__openclaw__/cap/%/a', '/__openclaw__/cap/%20/a', '/__openclaw__/cap/w/a?oc_cap=z'])]],
  ['diagnostic-runtime', ['resolveDiagnosticModelContentCapturePolicy'], () => [pick([undefined, { diagnostics: { enabled: flag(), otel: { enabled: flag(), traces: flag(), captureContent: content() } } }, { diagnostics: { otel: { enabled: true, captureContent: content() } } }])]],
  ['diagnostic-runtime', ['freezeDiagnosticTraceContext'], () => [{ traceId: 'a', spanId: pick([undefined, 'b']), parentSpanId: pick([undefined, 'c']), traceFlags: pick([undefined, '01']), more: 1 }]],
  ['memory-core', ['listMemoryWorkspacePublicArtifacts'], () => [{ workspaceDir: pick([NONE, os.tmpdir()]), agentIds: ['a'] }], (rows) => rows.filter(({ kind }) => kind !== 'daily-note'), 4],
  ['memory-core-host-engine-storage', ['isTransientMemoryReadError'], () => [pick([new Error('Unknown system error -11'), Object.assign(new Error('x'), { code: pick(['EAGAIN', 'ENOENT']) }), { errno: -11 }, null, 'EAGAIN'])]],
  ['provider-catalog-runtime', ['resolveOwningPluginIdsForProvider'], () => [{ provider: pick(['a', 'B', 'zz', '']), manifestRegistry: { plugins: [{ id: 'x', providers: ['a'], cliBackends: [] }, { id: 'y', providers: ['c'], cliBackends: ['b', 'a'] }] } }]],
  // The reference's own test helpers need its test runner: its modules cannot be imported, and these rows are skipped then.
  ['test-env', ['parseProviderModelMap'], () => [pick([undefined, 'a/b, c/d ,/e,f/, A/z'])], (map) => [...map]],
  ['test-env', ['resolveConfiguredLiveMusicModels'], () => [{ agents: { defaults: { musicGenerationModel: models() } } }], (map) => [...map]],
  ['test-env', ['redactLiveApiKey'], () => [pick([undefined, 'short', 'x'.repeat(random(30)), ' '])]],
  ['test-env', ['normalizeVideoGenerationDuration'], () => [{ provider: provider(), model: pick(['m', 'n']), durationSeconds: scalar(), inputImageCount: random(2), inputVideoCount: random(2) }]],
  ...places.map(([name, count]) => ['test-fixtures', [name], () => Array.from({ length: count }, () => pick(['telegram', 'a/b/']))]),
];
