import { once } from "node:events";
import type { Profiler } from "./measure.ts";
import { cpuMsByThread } from "./process.ts";
import { renderProfile, topFunctions, type CpuProfile } from "./profile.ts";

const topCount = 25;

/** Profiles a Node process through its inspector: the work alone, without its start. */
export function inspectorProfiler(inspectorPort: number, print: (text: string) => void): Profiler {
  return {
    inspectorPort,
    around: async (pid, body) => {
      const session = await openSession(inspectorPort);
      try {
        await session.send("Profiler.enable");
        await session.send("Profiler.start");
        const before = await cpuMsByThread(pid);
        await body();
        const after = await cpuMsByThread(pid);
        const { profile } = (await session.send("Profiler.stop")) as { profile: CpuProfile };
        const threads = new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)]));
        print(renderProfile(topFunctions(profile, topCount), threads));
      } finally {
        session.close();
      }
    },
  };
}

interface Session {
  send(method: string): Promise<unknown>;
  close(): void;
}

/** One command at a time, as the Chrome DevTools Protocol has it. */
async function openSession(port: number): Promise<Session> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const [target] = targets;
  if (target === undefined) throw new Error(`nothing to profile at the inspector's port ${port}`);
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await once(socket, "open");
  let id = 0;
  return {
    send: async (method) => {
      id += 1;
      const wanted = id;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const take = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
        if (answer.id !== wanted) return;
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer.result);
      };
      socket.addEventListener("message", take);
      socket.addEventListener("close", () => reject(new Error(`the process ended during ${method}`)), { once: true });
      socket.send(JSON.stringify({ id: wanted, method }));
      return await promise.finally(() => socket.removeEventListener("message", take));
    },
    close: () => socket.close(),
  };
}
