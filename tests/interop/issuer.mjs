import { serve } from './http.mjs'
serve(Number(process.argv[2]), {})
