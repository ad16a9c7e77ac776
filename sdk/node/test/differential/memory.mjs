// Memory: query words, managed blocks, dreaming, excerpts, pieces, batches.
import { list, pick, random, scalar, text } from './kit.mjs';

const query = () => pick(['what is the plan for tomorrow', 'Kubernetes cluster, 2024!', '今天的天气怎么样', '東京タワーはどこですか', '서울에서 만난 친구', 'API를 확인', 'el perro y la casa', 'x ab abc 123', '', 'メモリ検索 test_case', 'のこと', '을 그리고 강아지가']);
const block = () => pick(['', 'intro\n', 'a\n\n## H\n<!-- s -->\nold\n<!-- e -->\nrest\n', '<!-- s -->\n1\n<!-- e -->\n\n<!-- s -->\n2\n<!-- e -->', '<!-- s -->1<!-- e --> between <!-- s -->2<!-- e --> after']);
const value = () => pick([undefined, null, '', ' 5 ', 7.9, -1, 0, 0.5, '0.25', 2, 'x', NaN]);
const execution = () => pick([undefined, {}, { speed: 'FAST', thinking: 'x', budget: 'cheap', model: ' m ', maxOutputTokens: value(), temperature: pick([undefined, 5, -1, 0.3]), timeoutMs: value() }]);
const phase = () => pick([undefined, { enabled: pick([undefined, 'false', true]), limit: value(), lookbackDays: value(), minScore: value(), maxAgeDays: value(), minPatternStrength: value(), dedupeSimilarity: value(), sources: pick([undefined, ['DAILY', 'x'], ['logs', 'memory'], []]), execution: execution(), recovery: pick([undefined, { enabled: 'false', triggerBelowHealth: value(), lookbackDays: value() }]) }]);
const dreaming = () => ({ pluginConfig: pick([undefined, { dreaming: { enabled: pick([undefined, 'true']), frequency: pick([undefined, ' 1 1 * * * ']), timezone: pick([undefined, 'UTC']), model: pick([undefined, 'm']), storage: pick([undefined, { mode: 'BOTH', separateReports: true }]), execution: pick([undefined, { defaults: execution() }]), phases: { light: phase(), deep: phase(), rem: phase() } } }]), cfg: pick([undefined, { agents: { defaults: { userTimezone: 'Europe/Vienna' } } }]) });
const document = () => list(() => pick(['short line', 'x'.repeat(150), '', '漢字'.repeat(40), '𠮷'.repeat(60), 'emoji 😀😀 text', '# Heading'])).join('\n');
const state = () => ({ enabled: pick([true, false]), available: pick([undefined, true, false]), entries: pick([undefined, 3]) });
const line = () => ({ custom_id: pick([undefined, 'a']), error: pick([undefined, { message: 'e' }]), response: pick([undefined, { status_code: 500, body: pick(['text', {}, { error: { message: 'm' } }]) }, { status_code: 200, body: { data: pick([undefined, [], [{ embedding: [1, 2] }]]) } }]) });

export default [
  ['memory-core-host-query', ['extractKeywords'], () => [query(), pick([undefined, { ftsTokenizer: 'trigram' }])]],
  ['memory-core-host-query', ['isQueryStopWordToken'], () => [pick(['the', 'plan', '的', 'de', '그리고'])]],
  ['memory-host-markdown', ['replaceManagedMarkdownBlock'], () => [{ original: block(), body: 'new', startMarker: '<!-- s -->', endMarker: '<!-- e -->', heading: pick([undefined, '## H']) }]],
  ['memory-host-markdown', ['withTrailingNewline'], () => [text()]],
  ['memory-core-host-multimodal', ['normalizeMemoryMultimodalSettings'], () => [{ enabled: pick([undefined, true]), modalities: pick([undefined, ['all'], ['audio', 'x', 'audio'], []]), maxFileBytes: pick([undefined, 0.5, 99, NaN]) }]],
  ['memory-core-host-engine-embeddings', ['classifyMemoryMultimodalPath'], () => [pick(['a.PNG', 'b.mp3', 'c.md']), { enabled: pick([true, false]), modalities: pick([[], ['image'], ['audio', 'image']]) }]],
  ['memory-core-host-engine-embeddings', ['buildCaseInsensitiveExtensionGlob'], () => [pick(['.md', 'PNG', '', '.7z'])]],
  ['memory-host-status', ['resolveMemoryDreamingConfig', 'resolveMemoryLightDreamingConfig', 'resolveMemoryDeepDreamingConfig', 'resolveMemoryRemDreamingConfig'], () => [dreaming()]],
  ['memory-host-status', ['resolveMemoryDreamingPluginId', 'resolveMemoryDreamingPluginConfig'], () => [pick([undefined, {}, { plugins: { slots: { memory: pick(['x', 'NONE', ' ']) }, entries: { x: { config: { a: 1 } }, 'memory-core': { config: { b: 2 } } } } }])]],
  ['memory-host-status', ['resolveMemoryDreamingWorkspaces'], () => [{ agents: { list: pick([undefined, [{ id: 'A', workspace: '/w' }, { id: 'b', workspace: '/w' }, { id: 3 }, null]]) } }, pick([undefined, { primaryWorkspaceDir: pick(['/w', '/v', ' ']), primaryAgentId: pick([undefined, 'Z']) }])]],
  ['memory-host-status', ['formatMemoryDreamingDay'], () => [1_800_000_000_000 + pick([0, 1e7, 8e7]), pick([undefined, 'UTC', 'Asia/Tokyo', 'Nowhere/X'])]],
  ['memory-host-status', ['resolveMemoryCacheSummary', 'resolveMemoryFtsState', 'resolveMemoryVectorState'], () => [state()]],
  ['memory-core-host-engine-storage', ['chunkMarkdown'], () => [document(), { tokens: pick([4, 10, 40]), overlap: pick([0, 2, 8]) }]],
  ['memory-core-host-engine-storage', ['remapChunkLines'], () => [[{ startLine: 1, endLine: 2 }], pick([undefined, [], [5, 9]])], (_result, [chunks]) => chunks],
  ['memory-core-host-engine-storage', ['buildMemoryReadResult'], () => [{ content: document(), relPath: 'MEMORY.md', from: pick([undefined, 0, 2, 99]), lines: pick([undefined, 1, 3]), defaultLines: pick([undefined, 2]), maxChars: pick([undefined, 20, 160]), suggestReadFallback: pick([undefined, true]) }]],
  ['memory-core-host-engine-storage', ['cosineSimilarity'], () => [list(() => pick([0, 1, -2])), list(() => pick([0, 1, 3]))]],
  ['memory-core-host-engine-storage', ['parseEmbedding', 'hashText'], () => [pick(['[1,2]', '{}', 'x', ''])]],
  ['memory-core-host-engine-storage', ['normalizeExtraMemoryPaths'], () => ['/w', pick([undefined, [' a ', '/b/../c', '', 'a']])]],
  ['memory-core-host-engine-embeddings', ['enforceEmbeddingMaxInputTokens'], () => [{ id: pick(['local', 'x']), maxInputTokens: pick([undefined, 10]) }, [{ startLine: 1, endLine: 2, text: document() }], pick([undefined, 7, 0])]],
  ['memory-core-host-engine-embeddings', ['sanitizeAndNormalizeEmbedding'], () => [list(() => pick([0, 3, 4, NaN, Infinity]))]],
  ['memory-core-host-engine-embeddings', ['estimateStructuredEmbeddingInputBytes', 'hasNonTextEmbeddingParts'], () => [{ text: 'ä', parts: pick([undefined, [], [{ type: 'text', text: 'é' }, { type: 'inline-data', mimeType: 'a/b', data: 'xx' }]]) }]],
  ['memory-core-host-engine-embeddings', ['normalizeEmbeddingModelWithPrefixes'], () => [{ model: pick(['', ' openai/x ', 'y']), defaultModel: 'd', prefixes: ['openai/', 'y/'] }]],
  ['memory-core-host-engine-embeddings', ['sanitizeEmbeddingCacheHeaders'], () => [{ B: '1', a: '2', Authorization: 'x' }, ['authorization', pick(['b', 'z'])]]],
  ['memory-core-host-engine-embeddings', ['buildBatchHeaders'], () => [{ headers: pick([undefined, { 'content-type': 'x', A: 'b' }, { A: 'b' }]) }, { json: pick([true, false]) }]],
  ['memory-core-host-engine-embeddings', ['applyEmbeddingBatchOutputLine'], () => [{ line: line(), remaining: new Set(['a', 'b']), errors: [], byCustomId: new Map() }], (_result, [{ remaining, errors, byCustomId }]) => [[...remaining], errors, [...byCustomId]]],
  ['memory-core-host-engine-embeddings', ['extractBatchErrorMessage'], () => [list(line)]],
  ['memory-core-host-engine-embeddings', ['mapBatchEmbeddingsByIndex'], () => [new Map([['0', [1]], ['2', [3]]]), pick([0, 3])]],
  ['memory-core-host-engine-embeddings', ['isMissingEmbeddingApiKeyError', 'formatUnavailableBatchError'], () => [pick([new Error('No API key found for provider x'), new Error('y'), 'z'])]],
  ['memory-core-host-secret', ['hasConfiguredMemorySecretInput'], () => [scalar()]],
  ['memory-core-host-engine-foundation', ['parseDurationMs'], () => [pick(['5', ' 1H30m ', '1.5h', '90', '10ms3s', '2d', '0']), pick([undefined, { defaultUnit: 'm' }, { defaultUnit: 's' }])]],
  ['memory-core-host-engine-foundation', ['splitShellArgs'], () => [Array.from({ length: random(6) }, () => pick(['a', ' ', "'b c'", '"d \\" $"', '"e\\n"', '\\ ', '#', '"', "'", '--x="y z"', '\\', '\n', "''"])).join('')]],
  ['memory-core', ['parseNonNegativeByteSize'], () => [pick([scalar(), '10kb', '1.5 MB', '1.5MB', ' 2G ', '3tb', '4x', '5b', '-1', 2.7])]],
  ['memory-core', ['asToolParamsRecord'], () => [scalar()]],
  ['agent-runtime', ['formatReasoningMessage'], () => [pick([text(), ' a\n\nb\n ', 'x\r\ny'])]],
  ['agent-runtime', ['readNonNegativeIntegerParam'], () => [{ n: scalar() }, 'n', pick([undefined, { required: true }])]],
  ['simple-completion-runtime', ['resolveSimpleCompletionSelectionForAgent'], () => [{ cfg: { agents: { defaults: { model: pick(['openai/gpt-5', { primary: 'anthropic/claude-opus-4-6@work' }, undefined]), workspace: '/tmp/w' }, list: [{ id: 'main' }, { id: 'two', model: 'x/y' }] } }, agentId: pick(['main', 'two']), modelRef: pick([undefined, ' ', 'zai/glm@own', 'gpt-5', 'a@b/c']) }], (value) => value && [value.provider, value.modelId, value.profileId]],
];
