// `api.runtime.tasks` and `api.runtime.taskFlow`.
import { ask, askSync } from './group.js';

const RUN_METHODS = ['get', 'list', 'findLatest', 'resolve', 'cancel'];
const FLOW_METHODS = ['get', 'list', 'findLatest', 'resolve', 'getTaskSummary'];
const MANAGED_METHODS = [...FLOW_METHODS, 'createManaged', 'setWaiting', 'resume', 'finish', 'fail', 'requestCancel', 'cancel', 'runTask'];

/** Runs and flows of a session. */
export function tasksGroup(plugin) {
  const bound = (area, names, sessionKey, origin) => {
    const key = typeof sessionKey === 'string' ? sessionKey.trim() : '';
    if (!key) throw new Error(`tasks.${area} needs a session key`);
    const out = { sessionKey: key, requesterOrigin: origin };
    for (const name of names) {
      out[name] = (...args) => {
        const method = `host.tasks.${area}.${name}`;
        const params = { sessionKey: key, requesterOrigin: origin, args };
        return name === 'cancel' ? ask(plugin, method, params) : askSync(plugin, method, params);
      };
    }
    return out;
  };
  const area = (name, names) => ({
    bindSession: ({ sessionKey, requesterOrigin } = {}) => bound(name, names, sessionKey, requesterOrigin),
    fromToolContext: ({ sessionKey, deliveryContext } = {}) => bound(name, names, sessionKey, deliveryContext),
  });
  const managedFlows = area('managedFlows', MANAGED_METHODS);
  return { runs: area('runs', RUN_METHODS), flows: area('flows', FLOW_METHODS), managedFlows, flow: managedFlows };
}
