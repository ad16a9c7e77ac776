// Rows for LM Studio: addresses, models, headers.
import { list, pick } from './kit.mjs';

const reasoning = () => pick([undefined, null, {}, { allowed_options: [] }, { allowed_options: ['On', 'off'] }, { allowed_options: ['low', ' high ', 'off', 3] }, { allowed_options: ['off'] }, { default: 'on' }, { default: 'off' }, { allowed_options: ['custom'] }]);
const entry = () => ({ type: pick(['llm', 'llm', 'embedding']), key: pick(['a/b', ' c ', '', undefined]), display_name: pick([undefined, ' A ', '']), format: pick(['gguf', 'mlx', undefined]), max_context_length: pick([undefined, 4096.5, 200_000, -1]), capabilities: pick([undefined, { vision: pick([true, false]), trained_for_tool_use: true, reasoning: reasoning() }]), loaded_instances: pick([undefined, 'x', list(() => ({ config: { context_length: pick([undefined, 10, 20.7, -1]) } }))]) });
const base = () => pick([undefined, '', 'localhost:1234', 'http://h:1/v1/', 'https://h/api/v1?x=1#y', 'h.example/v1', '10.0.0.1', 'ftp://x/v1', '/v1', 'http://h/deep/v1', ' host:99/api/v1/ ']);

export default [
  ['lmstudio-runtime', ['resolveLmstudioServerBase', 'resolveLmstudioInferenceBase'], () => [base()]],
  ['lmstudio-runtime', ['normalizeLmstudioProviderConfig'], () => [{ baseUrl: base(), request: pick([undefined, { allowPrivateNetwork: false }, { x: 1 }, []]) }]],
  ['lmstudio-runtime', ['mapLmstudioWireEntry', 'resolveLmstudioReasoningCapability', 'resolveLoadedContextWindow'], () => [entry()]],
  ['lmstudio-runtime', ['buildLmstudioAuthHeaders'], () => [{ apiKey: pick([undefined, ' k ', 'lmstudio-local', 'custom-local']), headers: pick([undefined, { authorization: 'x', A: 'b' }]), json: pick([undefined, true]) }]],
];
