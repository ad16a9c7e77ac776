// Generated media: shapes, candidates, images, videos, transcriptions.
import { list, pick, text } from './kit.mjs';

const size = () => pick([undefined, '', '1024x1024', '1536 X 1024', '1024x1792', '0x5', 'wide']);
const ratio = () => pick([undefined, '1:1', '16:9', '9:16', '4 : 3', '2.39:1', 'x']);
const resolution = () => pick([undefined, '1K', '2K', '4K', '8K']);
const mime = () => pick([undefined, '', 'image/png', 'IMAGE/JPEG', 'image/webp; q=1', 'image/svg+xml', 'plain']);
const image = () => pick([Buffer.from([0xff, 0xd8, 0xff, 1]), Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.from('RIFF....WEBP'), Buffer.from('x')]);
const entry = () => pick([undefined, { requested: pick([undefined, 'a']), applied: pick([undefined, 'b']), derivedFrom: pick([undefined, 'size']), supportedValues: pick([undefined, [], [1]]) }]);
const request = () => ({ prompt: 'p', size: pick([undefined, ' 1*1 ']), resolution: pick([undefined, '720P', 'x']), aspectRatio: pick([undefined, ' 1:1 ']), durationSeconds: pick([undefined, 0.2, 7.6, NaN]), audio: pick([undefined, true]), watermark: pick([undefined, false]), inputImages: pick([undefined, [{ url: ' u ' }], [{ buffer: Buffer.from('x') }]]), inputVideos: pick([undefined, [{ url: 'v' }]]) });
const provider = (id, ready) => ({ id, defaultModel: `${id}-1`, models: [`${id}-2`], aliases: [`${id}x`], isConfigured: () => ready });
const attempt = () => ({ provider: 'p', model: 'm', error: pick(['bad', 'This operation was aborted', 'the request was aborted']) });

export default [
  ['media-generation-runtime', ['deriveAspectRatioFromSize'], () => [size()]],
  ['media-generation-runtime', ['resolveClosestAspectRatio'], () => [{ requestedAspectRatio: ratio(), requestedSize: size(), supportedAspectRatios: pick([undefined, list(ratio)]) }]],
  ['media-generation-runtime', ['resolveClosestSize'], () => [{ requestedAspectRatio: ratio(), requestedSize: size(), supportedSizes: pick([undefined, list(size)]) }]],
  ['media-generation-runtime', ['resolveClosestResolution'], () => [{ requestedResolution: resolution(), supportedResolutions: pick([undefined, list(resolution)]), order: pick([undefined, ['4K', '1K']]) }]],
  ['media-generation-runtime', ['normalizeDurationToClosestMax'], () => [pick([undefined, 0, 3.4, NaN, 99]), pick([undefined, 0, 10, NaN])]],
  ['media-generation-runtime', ['hasMediaNormalizationEntry'], () => [entry()]],
  ['media-generation-runtime', ['buildMediaGenerationNormalizationMetadata'], () => [{ normalization: pick([undefined, { size: entry(), aspectRatio: entry(), resolution: entry(), durationSeconds: entry() }]), requestedSizeForDerivedAspectRatio: size(), includeSupportedDurationSeconds: pick([undefined, true]) }]],
  ['media-generation-runtime', ['buildNoCapabilityModelConfiguredMessage'], () => [{ capabilityLabel: 'image', modelConfigKey: 'imageModel', providers: list(() => pick([{ id: 'a', defaultModel: 'm' }, { id: 'b' }, { id: ' ' }])), getProviderEnvVars: (id) => (id === 'a' ? ['A', 'B'] : []), fallbackSampleRef: pick([undefined, 'x/y']) }]],
  ['media-generation-runtime', ['throwCapabilityGenerationFailure'], () => [{ capabilityLabel: 'image', attempts: list(attempt), lastError: pick([undefined, new Error('last')]) }]],
  ['media-generation-runtime', ['recordCapabilityCandidateFailure'], () => [{ attempts: [], provider: 'p', model: 'm', error: pick([new Error('e'), 'text', Object.assign(new Error('f'), { name: 'FailoverError', reason: 'auth', status: 401, code: 'c' })]) }], (_result, [{ attempts }]) => attempts],
  ['media-generation-runtime', ['resolveCapabilityModelCandidates'], () => [{ cfg: { agents: { defaults: { model: pick([undefined, 'b/x', 'plain']), mediaGenerationAutoProviderFallback: pick([undefined, false]) } } }, modelConfig: pick([undefined, 'a/m', 'b-2', { primary: 'c-1', fallbacks: ['a/m', 'none'] }]), modelOverride: pick([undefined, '', 'b-1', 'z/z', 'none']), parseModelRef: (raw) => { const [left, right] = (raw ?? '').split('/'); return right ? { provider: left, model: right } : null; }, autoProviderFallback: pick([undefined, true, false]), listProviders: pick([undefined, () => [provider('c', true), provider('b', true), provider('a', false)]]) }]],
  ['image-generation-core', ['parseImageGenerationModelRef'], () => [pick([undefined, '', 'a/b', ' a / b/c ', 'plain', '/x', 'x/'])]],
  ['image-generation', ['imageFileExtensionForMimeType'], () => [mime(), pick([undefined, 'bin'])]],
  ['image-generation', ['sniffImageMimeType'], () => [image(), pick([undefined, 'image/gif'])]],
  ['image-generation', ['generatedImageAssetFromBase64'], () => [{ base64: pick([undefined, ' ', image().toString('base64')]), index: 1, mimeType: mime(), revisedPrompt: text(), defaultMimeType: mime(), fileNamePrefix: pick([undefined, 'f']), sniffMimeType: pick([undefined, true]) }]],
  ['image-generation', ['parseImageDataUrl'], () => [pick(['', 'data:image/png;base64,aGk=', 'data:image/png;x=y;base64, aGk', 'data:text/plain;base64,x', 'data:image/png,x'])]],
  ['image-generation', ['toImageDataUrl'], () => [{ buffer: image(), mimeType: mime(), defaultMimeType: mime() }]],
  ['image-generation', ['parseOpenAiCompatibleImageResponse'], () => [pick([{}, { data: [{ b64_json: 'aGk=', mime_type: mime() }, {}, { b64_json: 'aGk=', revised_prompt: 'r' }] }]), pick([undefined, { fileNamePrefix: 'p', sniffMimeType: true }])]],
  ['image-generation', ['imageSourceUploadFileName'], () => [{ image: { fileName: pick([undefined, ' a.png ']), mimeType: mime() }, index: 0, defaultMimeType: mime(), fileNamePrefix: pick([undefined, 'q']) }]],
  ['video-generation', ['buildDashscopeVideoGenerationParameters'], () => [request()]],
  ['video-generation', ['buildDashscopeVideoGenerationInput'], () => [{ providerLabel: 'L', req: request() }]],
  ['video-generation', ['extractDashscopeVideoUrls'], () => [pick([{}, { output: { video_url: 'a', results: [{ video_url: 'a' }, { video_url: 'b' }, {}] } }])]],
  ['media-understanding', ['resolveMediaUnderstandingString'], () => [pick([undefined, '', ' a ']), 'f']],
  ['media-understanding', ['buildOpenAiCompatibleVideoRequestBody'], () => [{ model: 'm', prompt: 'p', mime: 'video/mp4', buffer: Buffer.from('x') }]],
  ['media-understanding', ['coerceOpenAiCompatibleVideoText'], () => [pick([{}, { choices: [{ message: { content: pick([' a ', '', [{ text: ' b ' }, {}, { text: 'c' }], null]), reasoning_content: pick([undefined, ' r ']) } }] }])]],
];
