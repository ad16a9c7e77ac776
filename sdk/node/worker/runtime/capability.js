// `api.runtime` of media and the web: requests to the providers that plugins bring.
import { snapshot } from '../state.js';
import { ask, askSync } from './group.js';
import { relayed } from './relay.js';

/** The host knows its own config, so only another one is sent along. */
function packed(params) {
  if (!params || typeof params !== 'object') return params;
  const { signal: _signal, ...rest } = params;
  for (const name of ['cfg', 'config']) if (rest[name] === snapshot.config) delete rest[name];
  return rest;
}

function request(plugin, method) {
  return (params) => ask(plugin, method, { args: [packed(params)] }, params?.signal);
}

function requestSync(plugin, method) {
  return (params) => askSync(plugin, method, { args: [packed(params)] });
}

/** The groups of one plugin. */
export function capabilityGroups(plugin) {
  const generator = (name) => ({
    generate: request(plugin, `host.${name}.generate`),
    listProviders: requestSync(plugin, `host.${name}.listProviders`),
  });
  const understanding = (name) => request(plugin, `host.mediaUnderstanding.${name}`);
  const transcribeAudioFile = understanding('transcribeAudioFile');
  return {
    tts: {
      textToSpeech: request(plugin, 'host.tts.textToSpeech'),
      textToSpeechTelephony: request(plugin, 'host.tts.textToSpeechTelephony'),
      textToSpeechStream: (params) => request(plugin, 'host.tts.textToSpeechStream')(params).then((result) => withStream(plugin, result)),
      listVoices: request(plugin, 'host.tts.listVoices'),
    },
    stt: { transcribeAudioFile },
    mediaUnderstanding: {
      runFile: understanding('runFile'),
      describeImageFile: understanding('describeImageFile'),
      describeImageFileWithModel: understanding('describeImageFileWithModel'),
      extractStructuredWithModel: understanding('extractStructuredWithModel'),
      describeVideoFile: understanding('describeVideoFile'),
      transcribeAudioFile,
    },
    imageGeneration: generator('imageGeneration'),
    videoGeneration: generator('videoGeneration'),
    musicGeneration: generator('musicGeneration'),
    webSearch: { search: request(plugin, 'host.webSearch.search'), listProviders: requestSync(plugin, 'host.webSearch.listProviders') },
  };
}

/** The audio of a result as a web stream, and what gives it back. */
function withStream(plugin, { stream, ...result }) {
  if (stream === undefined) return result;
  const pieces = relayed(plugin, stream);
  const audioStream = new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    cancel: () => pieces.return(),
  });
  return { ...result, audioStream, release: async () => void (await pieces.return()) };
}
