import LegatoModels

extension Recipe {
  /// The recipe as YAML with every default spelled out, in a stable order: what a run keeps as
  /// `recipe.yaml`. Reading it gives an equal recipe.
  public var yaml: String {
    var text = "# Resolved recipe: every value that this run uses.\n"
    tree.write(to: &text, indentation: "")
    return text
  }

  /// Every value by its key path, as it is written in YAML; what was not given is missing.
  public var values: [String: String] {
    var result: [String: String] = [:]
    tree.flatten(into: &result, prefix: "")
    return result
  }

  private var tree: RecipeTree {
    var tree = RecipeTree()
    tree.add("kind", kind)
    tree.add("name", RecipeTree.quoted(name))
    tree.add("seed", seed)
    tree.add("device", device)
    tree.add("precision", precision)
    tree.add("threads", threads)
    tree.add("steps", steps)
    tree.add("time_limit", timeLimit.map(DurationText.text), absent: "none")
    tree.add("from", from.map(RecipeTree.quoted), absent: "scratch")
    tree.add("batch_size", batchSize)
    tree.add(section: "data") { section in
      switch kind {
      case .codec:
        section.add("corpus", RecipeTree.quoted(data.source))
        section.add("crop_seconds", data.cropSeconds)
      case .model:
        section.add("latents", RecipeTree.quoted(data.source))
        section.add("crop_frames", data.cropFrames)
      case .classifier: section.add("corpus", RecipeTree.quoted(data.source))
      }
    }
    tree.add(section: "optimizer") { section in
      section.add("learning_rate", optimizer.learningRate)
      section.add("betas", "\(optimizer.betas)")
      section.add("eps", optimizer.eps)
      section.add("weight_decay", optimizer.weightDecay)
      section.add("clip", optimizer.clip)
      section.add("warmup_steps", optimizer.warmupSteps)
      section.add("schedule", optimizer.schedule)
      section.add("final_fraction", optimizer.finalFraction)
    }
    tree.add(section: "ema") { $0.add("decay", ema.decay) }
    tree.add(section: "checkpoint") { section in
      section.add("every_steps", checkpoint.everySteps)
      section.add("every_minutes", checkpoint.everyMinutes)
      section.add("keep", checkpoint.keep)
    }
    tree.add(section: "evaluate") { section in
      section.add("every_steps", evaluate.everySteps)
      section.add("batches", evaluate.batches)
      section.add("patience", evaluate.patience)
    }
    tree.add(section: "samples") { section in
      section.add("every_steps", samples.everySteps)
      section.add("seconds", samples.seconds)
      section.add("count", samples.count)
    }
    tree.add(section: "log") { $0.add("every_steps", log.everySteps) }
    switch subject {
    case .codec(let codec): tree.add(section: "codec") { codec.write(to: &$0) }
    case .model(let model): tree.add(section: "model") { model.write(to: &$0) }
    case .classifier(let classifier): tree.add(section: "classifier") { classifier.write(to: &$0) }
    }
    return tree
  }
}

private let fromPreset = "from the preset"

extension CodecRecipe {
  fileprivate func write(to tree: inout RecipeTree) {
    tree.add("preset", preset)
    tree.add("sample_rate", sampleRate, absent: fromPreset)
    tree.add("channels", channels, absent: fromPreset)
    tree.add("fft_size", fftSize, absent: fromPreset)
    tree.add("hop", hop, absent: fromPreset)
    tree.add("fold", fold, absent: fromPreset)
    tree.add("latent_dimension", latentDimension, absent: fromPreset)
    tree.add("encoder_width", encoderWidth, absent: fromPreset)
    tree.add("encoder_blocks", encoderBlocks, absent: fromPreset)
    tree.add("bottleneck_width", bottleneckWidth, absent: fromPreset)
    tree.add("bottleneck_blocks", bottleneckBlocks, absent: fromPreset)
    tree.add("decoder_width", decoderWidth, absent: fromPreset)
    tree.add("decoder_blocks", decoderBlocks, absent: fromPreset)
    tree.add("bottleneck", bottleneck)
    tree.add("kl_weight", klWeight)
    tree.add("fixed_std", fixedStd)
    tree.add("freeze_encoder", freezeEncoder)
    tree.add(section: "loss") { section in
      section.add("stft_weight", loss.stftWeight)
      section.add("mel_weight", loss.melWeight)
      section.add("waveform_weight", loss.waveformWeight)
      section.add("waveform_steps", loss.waveformSteps)
      section.add("stft_sizes", "\(loss.stftSizes)")
    }
    tree.add(section: "adversarial") { section in
      section.add("weight", adversarial.weight)
      section.add("feature_weight", adversarial.featureWeight)
      section.add("start_step", adversarial.startStep)
      section.add("channels", adversarial.channels)
      section.add("stft_sizes", "\(adversarial.stftSizes)")
      section.add("learning_rate", adversarial.learningRate)
    }
  }
}

extension ModelRecipe {
  fileprivate func write(to tree: inout RecipeTree) {
    tree.add("preset", preset)
    tree.add("width", width, absent: fromPreset)
    tree.add("layers", layers, absent: fromPreset)
    tree.add("heads", heads, absent: fromPreset)
    tree.add("feedforward", feedforward, absent: fromPreset)
    tree.add("window", window, absent: fromPreset)
    tree.add("sinks", sinks, absent: fromPreset)
    tree.add("start_fraction", startFraction)
    tree.add("join_pieces", joinPieces)
    tree.add("noise_level", noiseLevel)
    if !isCausal { tree.add("causal", isCausal) }
    if let shortContext {
      tree.add(section: "short_context") { section in
        section.add("window", shortContext.window)
        section.add("layers", shortContext.layers)
      }
    }
    tree.add(section: "sampler") { section in
      section.add("kind", sampler.kind)
      section.add("modes", sampler.modes)
      if sampler.kind == .codes {
        section.add("codebooks", sampler.codebooks)
        section.add("codes", sampler.codes)
      }
      section.add("width", sampler.width, absent: fromPreset)
      section.add("blocks", sampler.blocks, absent: fromPreset)
      section.add("draws", sampler.draws)
      section.add("time", sampler.time)
      section.add("time_per", sampler.timePer)
      section.add("time_mean", sampler.timeMean)
      section.add("time_std", sampler.timeStd)
    }
    tree.add(section: "transform") { section in
      section.add("kind", transform.kind)
      section.add("k_max", transform.kMax)
      section.add("per", transform.per)
    }
    tree.add(section: "generation") { section in
      let absent = "the package's that it starts from, or what suits the transform"
      section.add("temperature", generation.temperature, absent: absent)
      section.add("steps", generation.steps, absent: absent)
      section.add("context_noise", generation.contextNoise, absent: absent)
      section.add("feedback_gain", generation.feedbackGain, absent: absent)
      section.add("tune", generation.tune)
    }
    if let style {
      tree.add(section: "style") { section in
        section.add("name", RecipeTree.quoted(style.name))
        section.add("pieces", style.pieces.map { RecipeTree.quoted("\($0)") }, absent: "all")
        section.add("feedback_gain", style.feedbackGain)
      }
    }
  }
}
