// What holds for models unless something else is said.
export const DEFAULT_PROVIDER = 'openai';
export const DEFAULT_MODEL = 'gpt-5.5';
/** The context window of a model that says nothing, in tokens. */
export const DEFAULT_CONTEXT_TOKENS = 200_000;
/** The image model of OpenAI. */
export const OPENAI_DEFAULT_IMAGE_MODEL = 'gpt-image-2';
