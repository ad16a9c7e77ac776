// Rows for settings: spoken sessions, the gateway's place, plugins, speech, choices of models, secrets in members, pages as text.
import { list, pick, random } from './kit.mjs';

const flag = () => pick([true, false, undefined]);
const provider = () => pick([undefined, {}, { apiKey: ' k ' }, { apiKey: '' }, { apiKey: { source: 'env', provider: 'default', id: 'K' } }, { voice: 'v', apiKey: 'x' }, 'no']);
const talk = () => pick([undefined, null, [], {}, { provider: pick([undefined, ' a ', 'b']), providers: pick([undefined, {}, { a: provider() }, { a: provider(), b: provider() }, { ' b ': { voice: 'x' } }]) }]);
const timeout = () => pick([undefined, 5, 0, -1, 1.5, 600_000, 600_001, 'x']);
const entry = () => pick([undefined, 'x', null, {}, { enabled: flag(), config: pick([undefined, { a: 1 }]) }, { enabled: true, hooks: pick([undefined, {}, { allowPromptInjection: flag(), allowConversationAccess: 'x', timeoutMs: timeout(), timeouts: pick([undefined, { a: timeout(), b: timeout() }]) }]) }, { subagent: { allowModelOverride: flag(), allowedModels: pick([undefined, [], [' a ', '', 3], 'x']) }, llm: { allowAgentIdOverride: flag(), allowedModels: pick([undefined, ['m']]) } }]);
const plugins = () => pick([undefined, {}, { enabled: flag(), allow: pick([undefined, ['p', ' q ', 3, '']]), deny: pick([undefined, ['z']]), load: pick([undefined, { paths: [' /x '] }]), slots: pick([undefined, { memory: pick([undefined, 'none', ' m ', 'NONE']), contextEngine: pick([undefined, 'none', 'c']) }]), entries: pick([undefined, [], { p: entry(), ' p ': entry(), m: entry() }]) }]);
const normal = () => ({ enabled: pick([true, true, false]), allow: list(() => pick(['p', 'q'])), deny: list(() => pick(['q', 'z', 'z'])), loadPaths: [], slots: { memory: pick(['memory-core', 'p', null]), contextEngine: pick([undefined, 'p']) }, entries: pick([{}, { p: { enabled: flag() } }, { q: { enabled: true } }]) });
const tts = () => ({ messages: { tts: pick([undefined, {}, { auto: pick(['always', 'X', undefined]), enabled: flag(), provider: pick([undefined, 'edge', ' Elevenlabs ', '']), persona: pick([undefined, ' Bob ']), personas: pick([undefined, { Bob: { label: 'B', provider: 'edge', providers: { edge: { v: 1 } } }, x: 3 }]), modelOverrides: pick([undefined, { enabled: false }, { allowProvider: true, allowVoice: false }]), timeoutMs: pick([undefined, 5]), maxTextLength: pick([undefined, 9]), mode: pick([undefined, 'all']), microsoft: pick([undefined, { a: 1 }]), providers: pick([undefined, { edge: { b: 2 }, openai: 3 }]), summaryModel: ' m ', prefsPath: pick([undefined, '/x/y.json']) }]) } });
const stored = () => pick([undefined, {}, { modelOverride: 'm' }, { modelOverride: ' m/n ', providerOverride: 'p' }, { providerOverride: 'p' }]);
const tag = () => pick(['<p>', '</p>', '<b>', '</b>', '<div style="display:none">', '</div>', '<div>', '<a href="https://x">', '</a>', '<h2>', '</h2>', '<li>', '</li>', '<br>', '<img hidden>', '<script>x()</script>', '<!-- c -->', '<span class="sr-only">s</span>', '<title>T &amp; t</title>', '&lt;x&gt;&#65;&#x42;', '\u200bz', 'word', ' ', '\n', '<input type=hidden>', '<span aria-hidden="true">']);
const html = () => Array.from({ length: random(14) }, tag).join('');
/** The reference keeps the text of scripts here; we drop it. */
const balanced = () => list(() => pick(['<p>one</p>', '<div style="display:none">gone<b>x</b></div>', '<ul><li>a</li><li>b</li></ul>', '<h1>Top</h1>', '<a href="u">l</a>', '<p hidden>h</p>', 'plain', '<span class="hidden">q</span>', '<template>t</template>', '<!-- c -->'])).join('');

export default [
  ['talk-config-runtime', ['resolveActiveTalkProviderConfig'], () => [talk()]],
  ['core', ['resolveGatewayPort'], () => [pick([undefined, {}, { gateway: { port: pick([0, 5, -1, NaN, '7']) } }]), { OPENCLAW_GATEWAY_PORT: pick([undefined, '', ' 8 ', 'h:9', '[::1]:10', '::1', 'a:b:3', '0', 'x']) }]],
  ['core', ['resolveGatewayBindUrl'], () => [{ bind: pick([undefined, 'custom', 'tailnet', 'lan', 'loopback', 'auto']), customBindHost: pick([undefined, ' h ', '']), scheme: 'ws', port: 1, pickTailnetHost: pick([() => null, () => 't']), pickLanHost: pick([() => null, () => 'l']) }]],
  ['core', ['resolveTailnetHostWithRunner'], () => [pick([undefined, async () => ({ code: pick([0, 1]), stdout: pick(['', 'noise {"Self":{"DNSName":"a.b."}}', '{"Self":{"TailscaleIPs":["1.2.3.4"]}}', '{}', '{"Self":{"DNSName":"c."}} end']) })])], undefined, 60],
  ['plugin-config-runtime', ['normalizePluginsConfig'], () => [plugins()]],
  ['plugin-config-runtime', ['resolveEffectiveEnableState'], () => [{ id: pick(['p', 'q', 'z', 'telegram']), origin: pick(['bundled', 'workspace', 'global', 'config']), config: normal(), rootConfig: pick([undefined, {}, { channels: { p: { enabled: flag() }, telegram: { enabled: flag() } } }]), enabledByDefault: flag() }]],
  ['speech-core', ['canonicalizeSpeechProviderId'], () => [pick([undefined, '', ' Nobody ', 'x-y'])], undefined, 6],
  ['tts-runtime', ['resolveTtsConfig'], () => [tts()], ({ sourceConfig: _source, ...rest }) => rest],
  ['agent-runtime', ['resolveStoredModelOverride'], () => [{ defaultProvider: pick(['openai', '']), sessionEntry: stored(), sessionStore: pick([undefined, { 'agent:main:p': stored() }]), sessionKey: pick([undefined, 'agent:main:p', 'agent:main:p:thread:1']), parentSessionKey: pick([undefined, 'agent:main:p', ' ']) }]],
  ['command-auth-native', ['resolveStoredModelOverride'], () => [{ defaultProvider: pick(['openai', '']), sessionEntry: stored(), sessionStore: pick([undefined, { 'agent:main:p': stored() }]), sessionKey: pick([undefined, 'agent:main:p', 'agent:main:p:thread:1']), parentSessionKey: pick([undefined, 'agent:main:p', ' ']) }]],
  ['logging-core', ['redactSensitiveFieldValue'], () => [pick(['apiKey', 'access_token', 'text', 'note', 'cvc', 'app-specific-password', 'idToken']), pick(['short', 'sk-abcdefghijklmnop', 'a-rather-long-value-of-a-secret', 'use abcd-efgh-ijkl-mnop now', 'open-file-path-name', 'token=abcdefghijklmnopqrstu', ''])]],
  ['logging-core', ['redactToolPayloadText'], () => [pick(['', 'plain', 'Authorization: Bearer abcdefghijklmnopqrstuvwx', 'API_KEY=abcdefghijklmnopqrstuvwx'])]],
  ['text-utility-runtime', ['resolveConfigDir'], () => [{ OPENCLAW_STATE_DIR: pick([undefined, ' ', '/s', '~/s']), OPENCLAW_CONFIG_PATH: pick([undefined, '/c/d.json', '~/e/f.json']), HOME: '/h' }, () => '/h']],
  ['session-store-runtime', ['resolveSessionKey'], () => [pick(['per-sender', 'global']), { SessionKey: pick([undefined, ' ', 'Agent:X:y']), From: pick(['telegram:group:12', '+123', 'x', 'slack:channel:C1', '']), ChatType: pick([undefined, 'group']), Provider: 'telegram' }, pick([undefined, 'main', 'Other']), pick([undefined, 'Two'])]],
  ['web-content-extractor', ['htmlToMarkdown', 'stripInvisibleUnicode', 'normalizeWhitespace', 'markdownToText'], () => [html()]],
  ['web-content-extractor', ['sanitizeHtml'], () => [balanced()]],
  ['web-content-extractor', ['extractBasicHtmlContent'], () => [{ html: balanced(), extractMode: pick(['text', 'markdown']) }]],
  ['command-auth-native', ['formatFastModeCommandOptions'], () => [pick([undefined, { fastAutoOnSeconds: pick([0, 5, 2.5, 'x']) }])]],
  ['command-auth-native', ['formatFastModeCurrentStatus', 'formatFastModeStatusValue'], () => [{ mode: pick([true, false, 'auto']), label: pick([undefined, 'L']), source: pick(['session', 'agent', 'config', 'default', undefined]), fastAutoOnSeconds: pick([undefined, 9]) }]],
  ['command-auth-native', ['resolveFastModeState'], () => [{ cfg: pick([undefined, { agents: { defaults: { models: { 'p/m': { params: { fastMode: pick([undefined, 'on', 'auto', false]), fast_seconds: pick([undefined, 7]) } } } }, list: [{ id: 'a', fastModeDefault: pick([undefined, 'auto', true]) }] } }]), provider: 'p', model: 'm', agentId: pick([undefined, 'a']), sessionEntry: pick([undefined, { fastMode: pick([true, 'auto', 'x', undefined]) }]) }]],
  ['command-auth', ['buildCommandsPaginationKeyboard'], () => [1 + random(4), 4, pick([undefined, 'a'])]],
  ['command-auth', ['buildCommandText'], () => ['x', pick([undefined, '', ' a b '])]],
  ['command-auth', ['resolveSkillCommandInvocation'], () => [{ commandBodyNormalized: pick(['/skill my skill', '/skill My_Skill do it', '/my-skill x', '/skill', '/nope', 'plain', '/ my', '/MY-SKILL']), skillCommands: [{ name: 'my-skill', skillName: 'My Skill' }, { name: 'my', skillName: 'my' }] }]],
  ['command-auth', ['isCommandEnabled'], () => [pick([{}, { commands: { bash: true } }, { commands: { config: 'x' } }]), pick(['bash', 'config', 'help'])]],
];
