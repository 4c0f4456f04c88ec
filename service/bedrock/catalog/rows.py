"""The models of Bedrock, one line each, as they stood on 2026-11-22.

id, flags, thousand tokens of context/of output, end of life, name, geo prefixes of its inference profiles;
two spaces or more between them, `-` for none

Most figures and flags come from litellm 1.109.1's table of prices and limits (MIT); the ends of life from AWS's model
cards and from maintained projects. A missing flag means that nobody has said so, not that the model cannot.

f   tools                           a   thinking can be adaptive
c   tool choice                     A   it always thinks
v   images                          P   goes on from an assistant's message
p   documents                       k   cache points
r   reasoning                       S   refuses temperature, top_p and top_k
o   sold through profiles alone     T   refuses a forced tool
V   no images                       D   no documents
"""

ROWS = """
ai21.j2-mid-v1                      -          8/8       2025        Jurassic-2 Mid
ai21.j2-ultra-v1                    -          8/8       2025        Jurassic-2 Ultra
ai21.jamba-1-5-large-v1:0           -          256/4     2026-11-26  Jamba 1.5 Large
ai21.jamba-1-5-mini-v1:0            -          256/4     2026-11-26  Jamba 1.5 Mini
ai21.jamba-instruct-v1:0            -          70/4      2025        Jamba Instruct
amazon.nova-2-lite-v1:0             fcvprko    1000/64   -           Nova 2 Lite  apac eu global jp us
amazon.nova-2-pro-preview-20251202-v1:0  fcvprko    1000/64   -           Nova 2 Pro Preview  apac eu us
amazon.nova-lite-v1:0               fcvpk      300/10    -           Nova Lite  apac eu us
amazon.nova-micro-v1:0              fckVD      128/10    -           Nova Micro  apac eu us
amazon.nova-premier-v1:0            fcvpko     1000/10   2026-09-14  Nova Premier  us
amazon.nova-pro-v1:0                fcvpk      300/10    -           Nova Pro  apac eu us
amazon.titan-text-express-v1        -          42/8      2026-01-12  Titan Text Express
amazon.titan-text-lite-v1           -          42/4      2026-01-12  Titan Text Lite
amazon.titan-text-premier-v1:0      -          42/3      2026-01-12  Titan Text Premier
anthropic.claude-3-5-haiku-20241022-v1:0  fcpPkoV    200/8     2026-06-19  Claude 3.5 Haiku  eu us
anthropic.claude-3-5-sonnet-20240620-v1:0  fcvp       200/4     2026-07-30  Claude 3.5 Sonnet  eu us
anthropic.claude-3-5-sonnet-20241022-v2:0  fcvpPko    200/8     2026-07-30  Claude 3.5 Sonnet v2  eu us
anthropic.claude-3-7-sonnet-20250219-v1:0  fcvprPko   200/8     2026-04-28  Claude 3.7 Sonnet  eu us
anthropic.claude-3-haiku-20240307-v1:0  fcv        200/4     2026-09-10  Claude 3 Haiku  apac eu us
anthropic.claude-3-opus-20240229-v1:0  fcv        200/4     -           Claude 3 Opus  eu us
anthropic.claude-3-sonnet-20240229-v1:0  fcv        200/4     2026-07-30  Claude 3 Sonnet  apac eu us
anthropic.claude-fable-5            fcvpraAkSo  1000/128  -           Claude Fable 5  apac au eu global us
anthropic.claude-fable-5-1          fcvpraAkSTo  1000/128  -           Claude Fable 5.1  eu global us us-gov
anthropic.claude-haiku-4-5-20251001-v1:0  fcvprPko   200/64    -           Claude Haiku 4.5  apac au eu global jp us
anthropic.claude-haiku-5-5          fcvprakSo  1000/128  -           Claude Haiku 5.5  apac au eu global jp us us-gov
anthropic.claude-instant-v1         c          100/8     2025-09     Claude Instant
anthropic.claude-mythos-5           fcvpraAkSo  1000/128  -           Claude Mythos 5  us
anthropic.claude-mythos-5-1         fcvpraAkSo  1000/128  -           Claude Mythos 5.1  global us
anthropic.claude-mythos-preview     fcvrAko    1000/128  -           Claude Mythos Preview  apac au us
anthropic.claude-opus-4-1-20250805-v1:0  fcvprPko   200/32    2027-01-08  Claude Opus 4.1  eu us
anthropic.claude-opus-4-20250514-v1:0  fcvprPko   200/32    2026-05-31  Claude Opus 4  eu us
anthropic.claude-opus-4-5-20251101-v1:0  fcvprPko   200/64    -           Claude Opus 4.5  eu global us
anthropic.claude-opus-4-6-v1        fcvprako   1000/128  -           Claude Opus 4.6  au eu global us
anthropic.claude-opus-4-7           fcvprakSo  1000/128  -           Claude Opus 4.7  apac au eu global jp us
anthropic.claude-opus-4-8           fcvprakSo  1000/128  -           Claude Opus 4.8  apac au eu global jp us us-gov
anthropic.claude-opus-5             fcvprakSo  1000/128  -           Claude Opus 5  apac au eu global jp us us-gov
anthropic.claude-opus-5-5           fcvpraAkSTo  1000/128  -           Claude Opus 5.5  apac au eu global jp us us-gov
anthropic.claude-sonnet-4-20250514-v1:0  fcvprPko   200/64    2026-10-14  Claude Sonnet 4  apac eu global us
anthropic.claude-sonnet-4-5-20250929-v1:0  fcvprPko   200/64    2027-04-08  Claude Sonnet 4.5  au eu global jp us us-gov
anthropic.claude-sonnet-4-6         fcvprako   1000/64   -           Claude Sonnet 4.6  apac au eu global jp us
anthropic.claude-sonnet-5           fcvprakSo  1000/128  -           Claude Sonnet 5  apac au eu global jp us us-gov
anthropic.claude-sonnet-5-5         fcvpraAkSTo  1000/128  -           Claude Sonnet 5.5  apac au eu global jp us us-gov
anthropic.claude-v1                 -          100/8     2024-02-28  Claude 1
anthropic.claude-v2                 c          100/8     2025-07-21  Claude 2
anthropic.claude-v2:1               c          100/8     2025-07-21  Claude 2.1
cohere.command-light-text-v14       c          4/4       2025-08-12  Command Light
cohere.command-r-plus-v1:0          f          128/4     2026-08-19  Command R+
cohere.command-r-v1:0               f          128/4     2026-08-19  Command R
cohere.command-text-v14             c          4/4       2025-08-12  Command
deepseek.r1-v1:0                    ro         128/32    2027-03-30  DeepSeek-R1  us
deepseek.v3-v1:0                    fcr        128/8     2027-03-30  DeepSeek-V3.1
deepseek.v3.2                       fcr        164/8     -           DeepSeek-V3.2  eu us
google.gemma-3-12b-it               fv         128/8     2027-03-30  Gemma 3 12B IT
google.gemma-3-27b-it               fv         128/8     2027-03-30  Gemma 3 27B IT
google.gemma-3-4b-it                fv         128/8     2027-03-30  Gemma 3 4B IT
meta.llama2-13b-chat-v1             -          4/2       2026-06     Llama 2 13B Chat
meta.llama2-70b-chat-v1             -          4/2       2026-06     Llama 2 70B Chat
meta.llama3-1-405b-instruct-v1:0    fo         128/4     2026-07-07  Llama 3.1 405B Instruct  us
meta.llama3-1-70b-instruct-v1:0     fo         128/4     2027-03-30  Llama 3.1 70B Instruct  us
meta.llama3-1-8b-instruct-v1:0      fo         128/4     2027-03-30  Llama 3.1 8B Instruct  us
meta.llama3-2-11b-instruct-v1:0     fvo        128/4     2026-07-07  Llama 3.2 11B Instruct  us
meta.llama3-2-1b-instruct-v1:0      fo         128/4     2026-07-07  Llama 3.2 1B Instruct  eu us
meta.llama3-2-3b-instruct-v1:0      fo         128/4     2026-07-07  Llama 3.2 3B Instruct  eu us
meta.llama3-2-90b-instruct-v1:0     fvo        128/4     2026-07-07  Llama 3.2 90B Instruct  us
meta.llama3-3-70b-instruct-v1:0     fo         128/4     2027-03-30  Llama 3.3 70B Instruct  us
meta.llama3-70b-instruct-v1:0       -          8/2       2027-03-30  Llama 3 70B Instruct
meta.llama3-8b-instruct-v1:0        -          8/2       2027-03-30  Llama 3 8B Instruct
meta.llama4-maverick-17b-instruct-v1:0  fo         1000/8    2027-03-30  Llama 4 Maverick 17B Instruct  us
meta.llama4-scout-17b-instruct-v1:0  fo         10000/8   2027-03-30  Llama 4 Scout 17B Instruct  us
minimax.minimax-m2                  f          1000/8    2027-03-30  MiniMax M2
minimax.minimax-m2.1                fc         196/8     2027-03-30  MiniMax M2.1
minimax.minimax-m2.5                fc         196/8     -           MiniMax M2.5
mistral.devstral-2-123b             fc         256/32    2027-03-30  Devstral 2 123B
mistral.magistral-small-2509        fvr        128/40    -           Magistral Small 2509
mistral.ministral-3-14b-instruct    fv         128/8     -           Ministral 3 14B Instruct
mistral.ministral-3-3b-instruct     fv         128/8     -           Ministral 3 3B Instruct
mistral.ministral-3-8b-instruct     fv         128/8     -           Ministral 3 8B Instruct
mistral.mistral-7b-instruct-v0:2    c          32/8      2027-03-30  Mistral 7B Instruct
mistral.mistral-large-2402-v1:0     f          32/4      -           Mistral Large 2402
mistral.mistral-large-2407-v1:0     fc         128/8     -           Mistral Large 2407
mistral.mistral-large-3-675b-instruct  fv         256/32    -           Mistral Large 3 675B Instruct
mistral.mistral-small-2402-v1:0     f          32/4      -           Mistral Small 2402
mistral.mixtral-8x7b-instruct-v0:1  c          32/4      2027-03-30  Mixtral 8x7B Instruct
mistral.pixtral-large-2502-v1:0     f          128/16    -           Pixtral Large 2502  eu us
mistral.voxtral-mini-3b-2507        -          33/8      2027-03-30  Voxtral Mini 3B 2507
mistral.voxtral-small-24b-2507      -          33/8      2027-03-30  Voxtral Small 24B 2507
moonshot.kimi-k2-thinking           fr         256/16    2027-03-30  Kimi K2 Thinking
moonshotai.kimi-k2.5                fcv        256/16    -           Kimi K2.5
moonshotai.kimi-k3                  fcvrk      1000/131  -           Kimi K3  global in us
nvidia.nemotron-nano-12b-v2         fv         128/8     2027-03-30  Nemotron Nano 12B v2  us-gov
nvidia.nemotron-nano-3-30b          fc         256/8     -           Nemotron Nano 3 30B  us-gov
nvidia.nemotron-nano-9b-v2          f          128/8     2027-03-30  Nemotron Nano 9B v2  us-gov
nvidia.nemotron-super-3-120b        fcr        256/32    -           Nemotron Super 3 120B  us-gov
openai.gpt-5.4                      fcvrSo     922/128   -           GPT-5.4  global us
openai.gpt-5.5                      fcvrSo     922/128   -           GPT-5.5  global us
openai.gpt-5.6-luna                 fcvrSo     922/128   -           GPT-5.6 Luna  global us
openai.gpt-5.6-sol                  fcvrSo     922/128   -           GPT-5.6 Sol  global us
openai.gpt-5.6-terra                fcvrSo     922/128   -           GPT-5.6 Terra  global us
openai.gpt-6-astra                  fcvrkSo    922/128   -           GPT-6 Astra  global us
openai.gpt-6-luna                   fcvrkSo    922/128   -           GPT-6 Luna  global us
openai.gpt-6-sol                    fcvrkSo    922/128   -           GPT-6 Sol  global us
openai.gpt-6.1-sol                  fcvrkSo    1000/131  -           GPT-6.1 Sol  global us
openai.gpt-6.1-terra                fcvrkSo    922/128   -           GPT-6.1 Terra  global us
openai.gpt-oss-120b-1:0             fcr        128/16    -           gpt-oss-120b  us-gov
openai.gpt-oss-20b-1:0              fcr        128/16    -           gpt-oss-20b  us-gov
openai.gpt-oss-safeguard-120b       f          128/16    -           gpt-oss-safeguard-120b
openai.gpt-oss-safeguard-20b        f          128/16    -           gpt-oss-safeguard-20b
qwen.qwen3-235b-a22b-2507-v1:0      fcr        262/8     -           Qwen3 235B A22B 2507
qwen.qwen3-32b-v1:0                 fcr        33/8      -           Qwen3 32B
qwen.qwen3-coder-30b-a3b-v1:0       fcr        262/16    2027-03-30  Qwen3 Coder 30B A3B
qwen.qwen3-coder-480b-a35b-v1:0     fcr        262/16    2027-03-30  Qwen3 Coder 480B A35B
qwen.qwen3-coder-next               fc         256/16    -           Qwen3 Coder Next
qwen.qwen3-next-80b-a3b             f          256/8     -           Qwen3 Next 80B A3B
qwen.qwen3-vl-235b-a22b             fv         256/8     -           Qwen3 VL 235B A22B
writer.palmyra-vision-7b            v          4/4       -           Palmyra Vision 7B
writer.palmyra-x4-v1:0              fp         128/8     2027-03-09  Palmyra X4  us
writer.palmyra-x5-v1:0              fp         128/8     2027-03-21  Palmyra X5  us
xai.grok-4.6                        fcvro      500/500   -           Grok 4.6  global us us-gov
xai.grok-4.7                        fcvro      524/524   -           Grok 4.7  global us
zai.glm-4.7                         fcr        203/128   2027-03-30  GLM 4.7
zai.glm-4.7-flash                   fcr        203/128   2027-03-30  GLM 4.7 Flash
zai.glm-5                           fcr        200/128   -           GLM 5
zai.glm-5.3                         fcrk       1000/128  -           GLM 5.3  global us
"""
