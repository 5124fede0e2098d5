import { defaultServerConditions } from "vite"
import { defineConfig } from "vitest/config"

const conditions = ["lifecycle-source", ...defaultServerConditions]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/globalSetup.ts"],
    exclude: ["test/bench/**", "**/node_modules/**"],
    testTimeout: 30_000,
    hookTimeout: 300_000,
    maxWorkers: 2
  }
})
