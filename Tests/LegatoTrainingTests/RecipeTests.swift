import Foundation
import LegatoModels
import Testing

@testable import LegatoTraining

private let codec = "kind: codec\ndata:\n  corpus: data/c\n"
private let model = "kind: model\ndata:\n  latents: data/l\n"
private let classifier = "kind: classifier\ndata:\n  corpus: data/c\n"

/// The mistakes of a recipe, or none.
private func problems(_ yaml: String, settings: [String] = []) -> [String] {
  do {
    _ = try Recipe(yaml: yaml, file: "r.yaml", settings: settings)
    return []
  } catch let error as RecipeError {
    #expect(error.description.contains("r.yaml"))
    return error.problems.map(\.description)
  } catch {
    Issue.record("unexpected error \(error)")
    return []
  }
}

@Suite struct RecipeReadingTests {
  @Test func defaults() throws {
    var expected = Recipe(kind: .model)
    expected.data.source = "data/l"
    #expect(try Recipe(yaml: model) == expected)
    #expect(try Recipe(yaml: codec).kind == .codec)
    #expect(try Recipe(yaml: codec).optimizer.betas == [0.8, 0.99])
  }

  @Test func everyKeyIsRead() throws {
    let recipe = try Recipe(
      yaml: """
        kind: model
        name: 2024
        seed: 18446744073709551615
        device: cuda:3
        precision: bf16
        threads: 2
        steps: 400_000
        time_limit: 1h30m
        from: "Models/a b"
        batch_size: 7
        data: {latents: x, crop_frames: 48}
        optimizer: {learning_rate: 1e-4, betas: [0.5, 0.75], weight_decay: 0, clip: 2, warmup_steps: 9,
          schedule: constant, final_fraction: 0.5, eps: 1e-6}
        ema: {decay: 0}
        checkpoint: {every_steps: 11, every_minutes: 2.5, keep: 5}
        evaluate: {every_steps: 12, batches: 13, patience: 4}
        samples: {every_steps: 14, seconds: 1.5, count: 2}
        log: {every_steps: 15}
        model:
          preset: cam-150m
          width: 64
          layers: 3
          heads: 4
          feedforward: 128
          window: 16
          sinks: 0
          start_fraction: 0.25
          sampler: {kind: diffusion, modes: 7, width: 32, blocks: 2, draws: 8, time: uniform, time_mean: -0.5, time_std: 2}
          transform: {kind: gaussian-replacement, k_max: 0.5, per: sequence}
          generation: {temperature: 1.5, steps: 3, context_noise: 0.5, feedback_gain: 1.25, tune: true}
        """)
    #expect(recipe.name == "2024" && recipe.seed == .max && recipe.device == .cuda(index: 3))
    #expect(recipe.precision == .bfloat16 && recipe.threads == 2 && recipe.steps == 400_000)
    #expect(recipe.timeLimit == 5400 && recipe.from == "Models/a b" && recipe.batchSize == 7)
    #expect(recipe.data.cropFrames == 48)
    #expect(recipe.optimizer.learningRate == 1e-4 && recipe.optimizer.betas == [0.5, 0.75])
    #expect(recipe.optimizer.schedule == .constant && recipe.optimizer.eps == 1e-6)
    #expect(recipe.optimizer.clip == 2 && recipe.optimizer.warmupSteps == 9 && recipe.ema.decay == 0)
    #expect(recipe.checkpoint.everyMinutes == 2.5 && recipe.checkpoint.keep == 5)
    #expect(recipe.samples.seconds == 1.5 && recipe.evaluate.batches == 13 && recipe.log.everySteps == 15)
    guard case .model(let settings) = recipe.subject else { throw RecipeError(file: "", "not a model") }
    #expect(settings.preset == .cam150M && settings.width == 64 && settings.sinks == 0)
    #expect(
      settings.sampler.timeMean == -0.5 && settings.sampler.draws == 8 && settings.sampler.time == .uniform)
    #expect(settings.sampler.kind == .diffusion && settings.sampler.modes == 7)
    #expect(settings.transform.kind == .gaussianReplacement && settings.transform.per == .sequence)
    #expect(recipe.evaluate.patience == 4 && settings.generation.tune && settings.generation.steps == 3)
    #expect(settings.generation.temperature == 1.5 && settings.generation.contextNoise == 0.5)
    #expect(settings.generation.feedbackGain == 1.25)
    #expect(try Recipe(yaml: recipe.yaml) == recipe)
  }

  @Test func codecKeysAreRead() throws {
    let recipe = try Recipe(
      yaml: codec + """
          crop_seconds: 2
        codec: {preset: small, sample_rate: 24000, channels: 1, fft_size: 960, hop: 240, fold: 8,
          latent_dimension: 32, encoder_width: 1, encoder_blocks: 2, bottleneck_width: 3, bottleneck_blocks: 4,
          decoder_width: 5, decoder_blocks: 6, bottleneck: fixed, kl_weight: 0, fixed_std: 0.5, freeze_encoder: true,
          adversarial: {weight: 0.2, feature_weight: 3, start_step: 7, channels: 4, stft_sizes: [128], learning_rate: 1e-5},
          loss: {stft_weight: 0, mel_weight: 3, waveform_weight: 0, stft_sizes: [64, 32]}}
        """)
    guard case .codec(let settings) = recipe.subject else { throw RecipeError(file: "", "not a codec") }
    #expect(settings.sampleRate == 24000 && settings.fold == 8 && settings.decoderBlocks == 6)
    #expect(settings.bottleneck == .fixed && settings.fixedStd == 0.5 && settings.loss.stftSizes == [64, 32])
    #expect(recipe.data.cropSeconds == 2 && settings.freezeEncoder)
    let game = settings.adversarial
    #expect(game.weight == 0.2 && game.featureWeight == 3 && game.startStep == 7 && game.channels == 4)
    #expect(game.stftSizes == [128] && game.learningRate == 1e-5)
    #expect(try Recipe(yaml: recipe.yaml) == recipe)
  }

  @Test(arguments: [
    // Recipe, the one mistake.
    (model + "step: 5\n", "line 4: step: unknown key; did you mean `steps`?"),
    (
      model + "optimizer:\n  lerning_rate: 1e-3\n",
      "line 5: optimizer.lerning_rate: unknown key; did you mean `learning_rate`?"
    ),
    (
      model + "model:\n  sampler:\n    drwas: 2\n",
      "line 6: model.sampler.drwas: unknown key; did you mean `draws`?"
    ),
    (
      model + "evaluate: {every_steps: 0, patience: 3}\n",
      "patience: is 3, and every_steps 0 measures nothing that could be waited for"
    ),
    (model + "ema: {qqqqqqqqqq: 1}\n", "line 4: ema.qqqqqqqqqq: unknown key; valid here: decay"),
    (model + "steps: many\n", "line 4: steps: expected a whole number from 1 up, found `many`"),
    (model + "steps: 0\n", "line 4: steps: expected a whole number from 1 up, found `0`"),
    (model + "steps: 1.5\n", "line 4: steps: expected a whole number from 1 up, found `1.5`"),
    (
      model + "steps: \"10\"\n",
      "line 4: steps: expected a whole number from 1 up, found the text \"10\" (remove the quotes)"
    ),
    (model + "steps: 99999999999999999999\n", "found `99999999999999999999`"),
    (model + "steps: [1]\n", "line 4: steps: expected a whole number from 1 up, found a list"),
    (model + "threads: -1\n", "expected a whole number from 0 to 4096"),
    (model + "seed: -1\n", "seed: expected a whole number from 0"),
    (model + "optimizer: {learning_rate: nan}\n", "expected a number above 0, found `nan`"),
    (model + "optimizer: {learning_rate: 0}\n", "expected a number above 0, found `0`"),
    (model + "optimizer: {learning_rate: 1e999}\n", "expected a number above 0"),
    (model + "optimizer: {betas: [0.9]}\n", "optimizer.betas: expected a list of 2 numbers"),
    (model + "optimizer: {betas: [0.9, 1]}\n", "optimizer.betas: expected a list of 2 numbers"),
    (model + "optimizer: {betas: 0.9}\n", "optimizer.betas: expected a list of 2 numbers"),
    (
      model + "optimizer: {schedule: cosin}\n",
      "expected one of cosine, constant, found `cosin`; did you mean `cosine`?"
    ),
    (model + "optimizer: fast\n", "optimizer: expected a section"),
    (model + "device: gpu\n", "device: expected auto, cpu, cuda or cuda:N, found `gpu`"),
    (model + "device: cuda:-1\n", "device: expected auto, cpu, cuda or cuda:N"),
    (model + "time_limit: 30m1h\n", "time_limit: expected a duration"),
    (model + "model: {preset: cam-150}\n", "did you mean `cam-150m`?"),
    (model + "model: {width: 10, heads: 3}\n", "3 heads do not divide the width 10"),
    (model + "model: {transform: {k_max: 1.5}}\n", "k_max: expected a number from 0 to 1"),
    (model + "codec: {preset: tiny}\n", "codec: belongs to recipes of `kind: codec`"),
    (model + "classifier: {width: 9}\n", "classifier: belongs to recipes of `kind: classifier`"),
    (classifier + "model: {width: 9}\n", "model: belongs to recipes of `kind: model`"),
    (classifier + "  crop_seconds: 2\n", "a classifier's examples last one second"),
    (classifier + "classifier: {widht: 9}\n", "did you mean `width`"),
    ("kind: classifier\n", "data.corpus: is missing"),
    (model + "  crop_seconds: 2\n", "crop_seconds: belongs to recipes of `kind: codec`"),
    (codec + "  crop_frames: 2\n", "crop_frames: belongs to recipes of `kind: model`"),
    (codec + "codec: {fft_size: 100, hop: 200}\n", "above fft_size"),
    (codec + "codec: {loss: {stft_sizes: []}}\n", "stft_sizes: expected a list of whole numbers"),
    (
      codec + "codec: {loss: {stft_weight: 0, mel_weight: 0, waveform_weight: 0}}\n",
      "nothing would be learned"
    ),
    ("kind: codec\n", "data.corpus: is missing"),
    ("kind: model\ndata:\n  latents:\n", "line 3: data.latents: is missing"),
    ("kind: modl\n", "did you mean `model`?"),
    ("name: x\n", "kind: is missing"),
    ("", "is empty"),
    ("# nothing\n", "is empty"),
    ("- a\n- b\n", "line 1: is not a recipe"),
    ("kind: [\n", "is not valid YAML"),
    ("kind: model\nkind: codec\n", "occurs twice: kind"),
    ("kind: model\nseed: !!int 4\n\tx: 1", "is not valid YAML"),
    (model + "name: a\u{7}b\n", "control characters"),
    (model + "? [a, b]\n: 1\n", "a key must be a word"),
    (String(repeating: "[", count: 100_000), "nested too deep"),
    (String(repeating: "- ", count: 100_000), "nested too deep"),
  ])
  func mistakes(yaml: String, expected: String) {
    let found = problems(yaml)
    #expect(found.count == 1)
    #expect(found.first?.contains(expected) == true, "\(found)")
  }

  @Test func allMistakesAreToldAtOnce() {
    let found = problems(model + "steps: x\nema: {decay: 2}\nnmae: y\n")
    #expect(found.count == 3)
    #expect(found.contains { $0.contains("did you mean `name`") })
  }

  @Test func filesThatAreNoRecipes() throws {
    let folder = try TemporaryFolder()
    try Data([0xFF, 0xFE, 0x00]).write(to: URL(fileURLWithPath: folder.path + "/binary"))
    try Data(count: 1 << 20).write(to: URL(fileURLWithPath: folder.path + "/large"))
    for (name, reason) in [
      ("none", "no such file"), ("", "a folder"), ("binary", "UTF-8"), ("large", "UTF-8"),
    ] {
      #expect { try Recipe(path: "\(folder.path)/\(name)") } throws: { "\($0)".contains(reason) }
    }
  }

  @Test func settingsFromTheCommandLine() throws {
    let recipe = try Recipe(
      yaml: model,
      settings: [
        "steps=7", "optimizer.learning_rate=0.5", "optimizer.betas=[0.1, 0.2]", "data.latents=a=b",
        "model.transform.kind=vp-noise",
      ])
    #expect(
      recipe.steps == 7 && recipe.optimizer.learningRate == 0.5 && recipe.optimizer.betas == [0.1, 0.2])
    #expect(recipe.data.source == "a=b")
    guard case .model(let settings) = recipe.subject else { throw RecipeError(file: "", "not a model") }
    #expect(settings.transform.kind == .vpNoise)
    #expect(problems(model, settings: ["stps=1"]) == ["stps: unknown key; did you mean `steps`?"])
    #expect(problems(model, settings: ["steps=x"]) == ["steps: expected a whole number from 1 up, found `x`"])
    #expect(problems(model, settings: ["steps"])[0].contains("key.path=value"))
    for setting in ["temperature=11", "context_noise=2", "feedback_gain=3", "feedback_gain=nan"] {
      #expect(
        problems(model, settings: ["model.generation.\(setting)"])[0].contains("expected a number from"))
    }
    #expect(problems(model + "steps: 1\n", settings: ["steps.x=1"])[0].contains("not a section"))
  }
}

@Suite struct RecipeWritingTests {
  @Test(arguments: [
    codec, model, model + "time_limit: 90\nfrom: \"a \\\"b\\\\ ü\\a: #\"\nname: 'null'\ndevice: cuda\n",
    model + "model: {layers: 2, sampler: {width: 9}}\noptimizer: {eps: 1.0e-12}\n",
    classifier + "classifier: {width: 64, blocks: 0, dimension: 32, key_weight: 2.5}\n",
    model + "model: {generation: {temperature: 0.9, steps: 6, context_noise: 0.1, feedback_gain: 1.05}}\n",
  ])
  func roundTrip(yaml: String) throws {
    let recipe = try Recipe(yaml: yaml)
    #expect(try Recipe(yaml: recipe.yaml) == recipe)
    #expect(try Recipe(yaml: recipe.yaml).yaml == recipe.yaml)
  }

  @Test func everyDefaultIsShown() throws {
    let recipe = try Recipe(yaml: model)
    #expect(recipe.yaml.contains("  learning_rate: 0.0003\n"))
    #expect(recipe.yaml.contains("  # width: (from the preset)\n"))
    #expect(recipe.values["model.sampler.draws"] == "4")
    #expect(recipe.values["model.width"] == nil)
    let order = recipe.yaml.split(separator: "\n").filter { !$0.hasPrefix(" ") && !$0.hasPrefix("#") }
      .map { $0.prefix { $0 != ":" } }
    #expect(order.first == "kind" && order.last == "model" && order.count == 16)
  }

  @Test func stylesNeedANameAndALabel() throws {
    func recipe(_ style: String) throws -> Recipe {
      try Recipe(yaml: "kind: model\ndata: { latents: x }\nmodel: { style: \(style) }\n")
    }
    let style = try recipe("{ name: grand, pieces: instrument=acoustic grand piano }")
    guard case .model(let settings) = style.subject else {
      Issue.record("no model")
      return
    }
    #expect(settings.style == StyleRecipe(name: "grand", pieces: .init("instrument=acoustic grand piano")))
    #expect(settings.style?.pieces?.value == "acoustic grand piano")
    #expect(try Recipe(yaml: style.yaml) == style)
    guard case .model(let louder) = try recipe("{ name: a, feedback_gain: 1.02 }").subject else { return }
    #expect(louder.style == StyleRecipe(name: "a", feedbackGain: 1.02))
    for name in ["\"null\"", "\"-\"", "\"1\""] {
      let odd = try recipe("{ name: \(name) }")
      #expect(try Recipe(yaml: odd.yaml) == odd)
    }
    for (text, told) in [
      ("{}", "a style needs a name"), ("{ name: }", "a style needs a name"), ("", "a style needs a name"),
      ("{ name: \"\" }", "a name of letters"), ("{ name: a, feedback_gain: 3 }", "from 0.5 to 2"),
      ("{ name: any }", "a name of letters"),
      ("{ name: a/b }", "a name of letters"),
      ("{ name: a, pieces: flute }", "label=value"), ("{ name: a, pieces: =flute }", "label=value"),
      ("{ pieces: instrument=flute }", "a style needs a name"), ("{ nmae: a }", "did you mean `name`"),
    ] {
      do {
        _ = try recipe(text)
        Issue.record("\(text) was taken")
      } catch { #expect("\(error)".contains(told), "\(error)") }
    }
  }

  @Test(arguments: [
    "toy-codec", "toy-model", "small-codec", "small-model", "finetune-codec", "finetune-model", "style",
    "cam-150m", "legato-listener",
    "legato-first/codec-1", "legato-first/codec-2", "legato-first/codec-3", "legato-first/decoder",
    "legato-first/model", "solo-piano/codec-waveform", "solo-piano/codec", "solo-piano/model",
    "solo-piano/model-without-noise",
  ])
  func shippedRecipes(name: String) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let recipe = try Recipe(path: root.appendingPathComponent("Recipes/\(name).yaml").path)
    // Those of a folder are parts of what it is named after.
    let folder = name.split(separator: "/").dropLast().first
    #expect(folder.map { recipe.name.hasPrefix($0) } ?? (recipe.name == name))
    #expect(try Recipe(yaml: recipe.yaml) == recipe)
  }
}

@Suite struct RecipeWordsTests {
  @Test func editDistance() {
    #expect(NearestWord.distance("", "abc") == 3)
    #expect(NearestWord.distance("kitten", "sitting") == 3)
    #expect(NearestWord.distance("stpes", "steps") == 1)
    #expect(NearestWord.find("batchsize", among: ["batch_size", "seed"]) == "batch_size")
    #expect(NearestWord.find("zzzzzz", among: ["batch_size", "seed"]) == nil)
    #expect(NearestWord.find("x", among: []) == nil)
  }

  @Test(arguments: [
    ("90", 90), ("90s", 90), ("25m", 1500), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061),
    ("0", nil), ("", nil), ("m", nil), ("-5m", nil), ("5x", nil), ("30m1h", nil), ("1h1h", nil),
    ("1.5h", nil),
    ("99999999999999999999", nil), ("9223372036854775807d", nil), ("5m3", nil),
  ])
  func durations(text: String, seconds: Int?) {
    #expect(DurationText.seconds(text) == seconds)
    if let seconds { #expect(DurationText.seconds(DurationText.text(seconds)) == seconds) }
  }
}

/// A folder that disappears with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "legato-training-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
