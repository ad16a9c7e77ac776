// Quality-assurance runs of the reference's own repository. Their code is in no release, so nothing of them is here either.
const absent = (what) => Object.assign(new Error(`${what} is part of the reference's repository and not of any release`), { code: 'NOT_BUILT' });

/** @returns {boolean} */
export const isQaRuntimeAvailable = () => false;
/** @returns {any[]} */
export const listQaRunnerCliContributions = () => [];
/** @returns {never} */
export function loadQaRuntimeModule() {
  throw absent('the QA runtime');
}
/** @param {string} pluginId @returns {never} */
export function loadQaRunnerBundledPluginTestApi(pluginId) {
  throw absent(`the QA interface of \`${pluginId}\``);
}
