export { buildOpenAiCompatibleVideoRequestBody, coerceOpenAiCompatibleVideoText, resolveMediaUnderstandingString, transcribeOpenAiCompatibleAudio } from './internal/generation/understanding.js';
