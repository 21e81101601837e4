import type { Reporter, TestModule } from "vitest/node";

/** Prints `<suite>: N passed, N failed, N skipped` as the last line, for whoever reads the log of a whole run. */
export function countReporter(suite: string): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[]): void {
      const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
      for (const module of modules) {
        // A file that did not load has no tests of its own, yet must not pass unseen.
        if (module.state() === "failed" && module.errors().length > 0) counts.failed += 1;
        for (const test of module.children.allTests()) counts[test.result().state] += 1;
      }
      process.stdout.write(`\n${suite}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
    },
  };
}
