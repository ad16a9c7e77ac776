// Adapter `gatewayMethod`: collects what the handler responds.
import { plugins, snapshot } from '../state.js';

/** Returns `{responded, value}`. A handler that returns without responding answers with its value. */
export async function run(row, [request], { signal }) {
  const plugin = plugins.get(row.pluginId);
  const responded = [];
  const respond = (ok, payload, error, meta) => {
    responded.push({ ok: ok === true, payload, error: errorOf(error), ...(meta === undefined ? {} : { meta }) });
  };
  const logger = plugin?.logger;
  const context = { getRuntimeConfig: () => snapshot.config, logGateway: logger, signal };
  const value = await row.fn.call(row.self, {
    params: request.params ?? {},
    client: request.client ?? null,
    req: request.req ?? {},
    scopes: request.scopes,
    isWebchatConnect: () => request.client?.connect?.client?.mode === 'webchat',
    respond,
    context,
  });
  if (responded.length === 0) responded.push({ ok: true, payload: value });
  return { responded, value };
}

function errorOf(error) {
  if (error === undefined || error === null) return undefined;
  if (error instanceof Error) return { code: error.code ?? 'UNAVAILABLE', message: error.message };
  return error;
}
