// Voice and speech: sound, consultations, directives, settings.
import { list, pick, scalar, text } from './kit.mjs';

const sound = () => Buffer.from(Array.from({ length: pick([0, 7, 64, 333]) }, () => pick([0, 1, 17, 127, 128, 200, 255])));
const even = () => { const bytes = sound(); return bytes.subarray(0, bytes.length & ~1); };
const rate = () => pick([8000, 16000, 24000, 44100, 48000]);
const said = () => pick(['', 'what is the weather in', 'bye', 'see you?', 'I will be right back', 'check the build please...', 'run the tests now', 'the quick brown fox jumps over', "it's fine"]);
const args = () => pick([undefined, 'x', [], {}, { question: ' q ', context: text(), responseStyle: text() }, { prompt: 'p' }, { task: 't', query: '' }]);
const event = () => ({ sessionId: 's', type: pick(['turn.started', 'session.error', 'input.audio.delta', 'output.audio.done']), turnId: pick([undefined, 't']), mode: 'm', transport: 'x', brain: 'b', provider: pick([undefined, 'p']), final: pick([undefined, true]), payload: pick([undefined, { latencyMs: 5 }, { audioBytes: 9, durationMs: -1 }]) });
const provider = (id, more) => ({ id, ...more, parseDirectiveToken: ({ key, value, policy }) => (key === 'voice' && policy.allowVoice ? { handled: true, overrides: { voice: value } } : key === 'odd' ? { handled: true, warnings: ['odd'] } : { handled: false }) });
const marked = () => list(() => pick(['plain ', '[[tts]] said [[/tts]] ', '[[tts:text]] hidden [[/tts:text]]', '`[[tts:voice=x]]` ', '[[tts:voice=a provider=two]]', '[[tts: provider=nobody voice=b odd=1]]', '[[ tts ]]', '[[/tts:x]]', '\n```\n[[tts]]\n```\n', '[[tts:odd=2 =3 x]]'])).join('');
const policy = () => ({ enabled: pick([true, true, false]), allowText: pick([true, false]), allowProvider: pick([true, false]), allowVoice: pick([true, false]) });
const tts = () => pick([undefined, { auto: 'always', providers: { a: { k: 1 } } }, { provider: 'x', providers: { a: { k: 2, l: null } } }]);

export default [
  ['realtime-voice', ['pcmToMulaw'], () => [even()]],
  ['realtime-voice', ['mulawToPcm'], () => [sound()]],
  ['realtime-voice', ['resamplePcm'], () => [even(), rate(), rate()], (bytes) => [...bytes]],
  ['realtime-voice', ['resamplePcmTo8k', 'convertPcmToMulaw8k'], () => [even(), rate()], (bytes) => [...bytes]],
  ['realtime-voice', ['parseRealtimeVoiceAgentConsultArgs', 'buildRealtimeVoiceAgentConsultChatMessage'], () => [args()]],
  ['realtime-voice', ['resolveRealtimeVoiceAgentConsultToolPolicy'], () => [pick(['OWNER', 'none', 'x', undefined, 3]), 'fallback']],
  ['realtime-voice', ['isRealtimeVoiceAgentConsultToolPolicy', 'resolveRealtimeVoiceAgentConsultToolsAllow'], () => [pick(['owner', 'none', 'safe-read-only'])]],
  ['realtime-voice', ['resolveRealtimeVoiceAgentConsultTools'], () => [pick(['owner', 'none']), pick([undefined, [{ name: 'a' }, { name: 'openclaw_agent_consult' }, { name: 'a' }]])], (tools) => tools.map(({ name }) => name)],
  ['realtime-voice', ['collectRealtimeVoiceAgentConsultVisibleText'], () => [list(() => ({ text: text(), isError: pick([undefined, true]), isReasoning: pick([undefined, true]) }))]],
  ['realtime-voice', ['extendRealtimeVoiceOutputEchoSuppression'], () => [{ audio: sound(), bytesPerMs: 8, nowMs: 10, lastOutputPlayableUntilMs: pick([0, 50]), suppressInputUntilMs: pick([0, 99]), tailMs: 5 }]],
  ['realtime-voice', ['isLikelyRealtimeVoiceAssistantEchoTranscript'], () => [{ text: said(), lookbackMs: 1000, nowMs: 5000, transcript: list(() => ({ role: pick(['assistant', 'user']), text: said(), at: new Date(pick([4500, 1000])).toISOString() })) }]],
  ['realtime-voice', ['getRealtimeVoiceTranscriptHealth', 'getRealtimeVoiceBridgeEventHealth'], () => [list(() => ({ at: 'x', role: 'r', text: 't', direction: 'client', type: 'y' }))]],
  ['realtime-voice', ['createTalkDiagnosticEvent', 'createTalkLogRecord'], () => [event()]],
  ['realtime-voice', ['createTalkEventSequencer'], () => [{ sessionId: 's' }, { now: () => 'now' }], (sequencer) => [sequencer.next({ type: 'session.ready' }), sequencer.next({ type: 'turn.started', turnId: 't', payload: 1 })]],
  ['realtime-voice', ['createTalkSessionController'], () => [{ sessionId: 's', maxRecentEvents: 3 }, { now: () => 'now' }], (talk) => [talk.startOutputAudio(), talk.finishOutputAudio({ turnId: 'other' }), talk.endTurn({ turnId: 'x' }), talk.finishOutputAudio(), talk.endTurn(), talk.cancelTurn(), talk.ensureTurn({ turnId: ' a ' }), talk.activeTurnId, talk.outputAudioActive, talk.recentEvents]],
  ['realtime-voice', ['normalizeTalkTransport'], () => [pick(['webrtc-sdp', 'json-pcm-websocket', ' x ', ''])]],
  ['speech', ['normalizeApplyTextNormalization', 'normalizeLanguageCode', 'normalizeTtsAutoMode', 'normalizeSpeechProviderId', 'trimToUndefined'], () => [pick(['AUTO', 'on', 'x', '', ' de ', 'deu', undefined, 'tagged'])]],
  ['speech', ['normalizeSeed'], () => [pick([undefined, null, 0, 3.7, -1, 5e9, NaN])]],
  ['speech', ['requireInRange'], () => [pick([0, 5, NaN, 11]), 1, 10, 'n']],
  ['speech', ['parseTtsDirectives'], () => [marked(), policy(), { providers: [provider('one'), provider('two', { autoSelectOrder: 1, aliases: ['ZWEI'] })], preferredProviderId: pick([undefined, 'one']), providerConfigs: { one: {} } }]],
  ['speech-core', ['resolveEffectiveTtsConfig'], () => [{ messages: { tts: tts() }, agents: { list: [{ id: 'Main', tts: tts() }] }, channels: { Chat: { tts: tts(), accounts: { Work: { tts: tts() } } } } }, pick([undefined, 'main', { agentId: 'main', channelId: 'chat', accountId: 'work' }])]],
  ['provider-selection-runtime', ['resolveProviderRawConfig'], () => [{ providerId: 'a', configuredProviderId: pick([undefined, 'b']), providerConfigs: pick([undefined, { a: { x: 1 }, b: { x: 2 } }, { a: 3 }]) }]],
  ['provider-selection-runtime', ['resolveConfiguredCapabilityProvider'], () => [{ configuredProviderId: pick([undefined, 'a', 'none']), providerConfigs: { a: { k: pick([undefined, 1]) } }, getConfiguredProvider: (id) => (id === 'a' ? { id } : undefined), listProviders: () => [{ id: 'b' }, { id: 'a', autoSelectOrder: 2 }], resolveProviderConfig: ({ rawConfig }) => rawConfig, isProviderConfigured: ({ providerConfig }) => providerConfig.k === 1 }], (result) => result, 60],
  ['speech', ['asObject'], () => [scalar()]],
];
