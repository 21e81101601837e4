/**
 * What Strata uses of undici, for the bundles. The package's own entry loads WebSocket, caches, mocks and a second `fetch` as well: 11 MB
 * of memory for nothing. Like that entry, it gives a dispatcher its `request` and `stream`.
 */
import Agent from "../node_modules/undici/lib/dispatcher/agent.js";
import Dispatcher from "../node_modules/undici/lib/dispatcher/dispatcher.js";
import ProxyAgent from "../node_modules/undici/lib/dispatcher/proxy-agent.js";
import api from "../node_modules/undici/lib/api/index.js";

Object.assign(Dispatcher.prototype, api);

export { Agent, ProxyAgent };
