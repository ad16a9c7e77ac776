// Adapter `service`: `start(ctx)` and `stop(ctx)` of one service see the same object and the same context.
import { plugins, snapshot } from '../state.js';

const contexts = new WeakMap();

/** Runs one method of a service. */
export async function run(row, [{ method, ctx }]) {
  const service = row.self ?? { [method]: row.fn };
  let context = contexts.get(service);
  if (!context) {
    context = { config: snapshot.config, stateDir: snapshot.stateDir, ...ctx };
    context.logger = plugins.get(row.pluginId)?.logger;
    contexts.set(service, context);
  }
  if (typeof service[method] === 'function') await service[method](context);
  if (method === 'stop') contexts.delete(service);
}
