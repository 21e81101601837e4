import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { CodedError } from "../errors.ts";

/** A proxy that was named for one object. */
export interface ProxyServer {
  /** `http://proxy.example:3128`; may carry user and password. */
  readonly address: string;
  readonly username?: string;
  readonly password?: string;
}

/** The values of the standard proxy variables. */
export interface ProxySettings {
  readonly httpProxy?: string | undefined;
  readonly httpsProxy?: string | undefined;
  readonly noProxy?: string | undefined;
}

/** @throws InvalidSpec when the address is not a URL of an HTTP proxy */
export function proxyUrl(server: ProxyServer): URL {
  const text = server.address.includes("://") ? server.address : `http://${server.address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
    // The address itself may hold a password and is not repeated.
    throw new CodedError(
      "InvalidSpec",
      "the proxy's address is not an http:// or https:// URL, such as http://proxy.example:3128",
    );
  }
  if (server.username !== undefined) url.username = encodeURIComponent(server.username);
  if (server.password !== undefined) url.password = encodeURIComponent(server.password);
  return url;
}

/** The proxy that the environment names for `target`, as Go's net/http reads the same variables. */
export function environmentProxy(target: URL, settings: ProxySettings): ProxyServer | undefined {
  const address = target.protocol === "https:" ? settings.httpsProxy : settings.httpProxy;
  if (!address) return undefined;
  const host = target.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  if (isLoopback(host)) return undefined;
  const excluded = (settings.noProxy ?? "").split(/[,\s]+/).some((rule) => excludes(rule.toLowerCase(), host, port));
  return excluded ? undefined : { address };
}

/** @param host without brackets */
export function isLoopback(host: string): boolean {
  return host === "localhost" || (isIP(host) !== 0 && ipaddr.process(host).range() === "loopback");
}

/** One NO_PROXY entry: `*`, a domain, `.domain`, `*.domain`, an address, a CIDR; with or without `:port`. */
function excludes(rule: string, host: string, port: string): boolean {
  if (rule === "" || rule === "*") return rule === "*";
  if (rule.includes("/")) return isIP(host) !== 0 && inRange(rule, host);
  const [name, rulePort] = splitPort(rule);
  return (rulePort ?? port) === port && (isIP(name) === 0 ? inDomain(name, host) : sameAddress(name, host));
}

function sameAddress(address: string, host: string): boolean {
  return isIP(host) !== 0 && ipaddr.process(address).toString() === ipaddr.process(host).toString();
}

/** `example.com` takes in the domain and all below it, `.example.com` only what is below. */
function inDomain(name: string, host: string): boolean {
  const suffix = name.replace(/^\*?\./, "");
  return host.endsWith(`.${suffix}`) || (suffix === name && host === name);
}

function inRange(cidr: string, host: string): boolean {
  if (!ipaddr.isValidCIDR(cidr)) return false;
  const [range, bits] = ipaddr.parseCIDR(cidr);
  const address = ipaddr.process(host);
  return address.kind() === range.kind() && address.match(range, bits);
}

/** `host:port`, `[v6]:port`, `[v6]`, or no port at all. */
function splitPort(rule: string): [name: string, port: string | undefined] {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(rule);
  if (bracketed) return [bracketed[1] ?? "", bracketed[2]];
  if (isIP(rule) === 6) return [rule, undefined];
  const [name = "", port] = rule.split(":");
  return [name, port];
}
