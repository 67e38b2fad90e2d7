import CLegato
import Legato
import LegatoModels

@_cdecl("legato_stream_options_init")
public func streamOptionsInit(_ options: UnsafeMutablePointer<legato_stream_options>?) {
  options?.pointee = legato_stream_options(
    size: MemoryLayout<legato_stream_options>.size, seed: 0, depth: 4, threads: 0,
    priority: LEGATO_PRIORITY_HIGH.rawValue, style: nil)
}

@_cdecl("legato_stream_create")
public func streamCreate(
  _ package: OpaquePointer?, _ options: UnsafePointer<legato_stream_options>?,
  _ stream: UnsafeMutablePointer<OpaquePointer?>?
) -> legato_status {
  stream?.pointee = nil
  return reporting {
    guard let stream else { throw Failure.null("stream") }
    let handle: PackageHandle = try object(package, "package")
    var wanted = legato_stream_options()
    streamOptionsInit(&wanted)
    if let options {
      guard options.pointee.size >= wanted.size else {
        throw Failure(
          LEGATO_ERROR_ARGUMENT, "options->size is not set: call legato_stream_options_init first")
      }
      wanted = options.pointee
    }
    guard let priority = EnginePriority(rawValue: wanted.priority) else {
      throw Failure(LEGATO_ERROR_ARGUMENT, "priority is \(wanted.priority); it must be from -1 to 1")
    }
    var settings = handle.package.options(seed: wanted.seed)
    if let name = wanted.style { settings.style = try style(named: name, in: handle.package) }
    let made = try RealtimeStream(
      handle.package, options: settings, depth: Int(wanted.depth),
      threads: wanted.threads == 0 ? nil : Int(wanted.threads), priority: priority)
    stream.pointee = OpaquePointer(Unmanaged.passRetained(StreamHandle(made)).toOpaque())
  }
}

/// The style of a name; nil for "none".
private func style(named name: UnsafePointer<CChar>, in package: ModelPackage) throws -> Style? {
  let name = String(cString: name)
  if name == "none" { return nil }
  guard let style = package.styles.first(where: { $0.name == name }) else {
    let known = package.styles.map(\.name).joined(separator: ", ")
    throw Failure(
      LEGATO_ERROR_ARGUMENT,
      "there is no style '\(name)'; the package has \(known.isEmpty ? "none" : known), and 'none' is the model without one"
    )
  }
  return style
}

@_cdecl("legato_stream_destroy")
public func streamDestroy(_ stream: OpaquePointer?) {
  guard let stream else { return }
  let handle = Unmanaged<StreamHandle>.fromOpaque(UnsafeRawPointer(stream))
  handle.takeUnretainedValue().stream.stop()
  handle.release()
}

/// Runs a controller's call on a stream.
private func controlling(
  _ stream: OpaquePointer?, _ otherwise: legato_status = LEGATO_ERROR_ARGUMENT,
  _ body: (RealtimeStream) throws -> Void
) -> legato_status {
  reporting(otherwise) {
    let handle: StreamHandle = try object(stream, "stream")
    do { try body(handle.stream) } catch {
      if handle.stream.isStopped {
        throw Failure(LEGATO_ERROR_STOPPED, "the stream was stopped; make a new one")
      }
      throw error
    }
  }
}

@_cdecl("legato_stream_start")
public func streamStart(_ stream: OpaquePointer?) -> legato_status { controlling(stream) { try $0.start() } }

@_cdecl("legato_stream_wait_until_full")
public func streamWaitUntilFull(_ stream: OpaquePointer?, _ seconds: Double) -> legato_status {
  controlling(stream) { stream in
    guard seconds >= 0 else { throw Failure(LEGATO_ERROR_ARGUMENT, "seconds is \(seconds)") }
    guard stream.waitUntilFull(seconds: seconds) else {
      throw Failure(
        LEGATO_ERROR_SYSTEM,
        "the ring was not full after \(seconds) s: start the stream first, or wait longer; a machine that is too slow never fills it while it plays"
      )
    }
  }
}

@_cdecl("legato_stream_pause")
public func streamPause(_ stream: OpaquePointer?) -> legato_status { controlling(stream) { try $0.pause() } }

@_cdecl("legato_stream_resume")
public func streamResume(_ stream: OpaquePointer?) -> legato_status {
  controlling(stream) { try $0.resume() }
}

@_cdecl("legato_stream_stop")
public func streamStop(_ stream: OpaquePointer?) -> legato_status { controlling(stream) { $0.stop() } }

// MARK: - The audio thread

/// Runs a pull on the stream of a handle, with no reference counting.
private func pulling(
  _ stream: OpaquePointer, _ body: (RealtimeStream) throws(PullError) -> Int
) -> Int64 {
  Unmanaged<StreamHandle>.fromOpaque(UnsafeRawPointer(stream))._withUnsafeGuaranteedRef { handle in
    do throws(PullError) { return Int64(try body(handle.stream)) } catch {
      return switch error {
      case .stopped: Int64(LEGATO_ERROR_STOPPED.rawValue)
      case .busy: Int64(LEGATO_ERROR_BUSY.rawValue)
      case .badBlock: Int64(LEGATO_ERROR_ARGUMENT.rawValue)
      }
    }
  }
}

@_cdecl("legato_stream_pull")
public func streamPull(
  _ stream: OpaquePointer?, _ channels: UnsafePointer<UnsafeMutablePointer<Float>?>?, _ frames: Int64
) -> Int64 {
  guard let stream, let channels else { return Int64(LEGATO_ERROR_ARGUMENT.rawValue) }
  return pulling(stream) { (stream: RealtimeStream) throws(PullError) -> Int in
    guard frames >= 0, frames <= stream.largestBlock else { throw .badBlock }
    let count = stream.channels
    for channel in 0..<count where channels[channel] == nil { throw .badBlock }
    // No pointer is null: the same memory, seen as pointers that cannot be.
    let rows = UnsafeRawPointer(channels).assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
    return try stream.pull(into: UnsafeBufferPointer(start: rows, count: count), frames: Int(frames))
  }
}

@_cdecl("legato_stream_pull_interleaved")
public func streamPullInterleaved(
  _ stream: OpaquePointer?, _ samples: UnsafeMutablePointer<Float>?, _ frames: Int64
) -> Int64 {
  guard let stream, let samples else { return Int64(LEGATO_ERROR_ARGUMENT.rawValue) }
  return pulling(stream) { (stream: RealtimeStream) throws(PullError) -> Int in
    guard frames >= 0, frames <= stream.largestBlock else { throw .badBlock }
    return try stream.pull(interleaved: samples, frames: Int(frames))
  }
}

// MARK: - Parameters

@_cdecl("legato_stream_set")
public func streamSet(_ stream: OpaquePointer?, _ parameter: legato_parameter, _ value: Double)
  -> legato_status
{
  controlling(stream) { stream in
    guard value.isFinite, abs(value) < 1e6 else {
      throw Failure(LEGATO_ERROR_ARGUMENT, "the value is \(value)")
    }
    try stream.update { options in
      switch parameter {
      case LEGATO_TEMPERATURE: options.temperature = Float(value)
      case LEGATO_STEPS: options.steps = Int(value.rounded())
      case LEGATO_CONTEXT_NOISE: options.contextNoise = Float(value)
      case LEGATO_FEEDBACK_GAIN: options.feedbackGain = Float(value)
      default: throw Failure(LEGATO_ERROR_ARGUMENT, "there is no parameter \(parameter.rawValue)")
      }
    }
  }
}

@_cdecl("legato_stream_get")
public func streamGet(
  _ stream: OpaquePointer?, _ parameter: legato_parameter, _ value: UnsafeMutablePointer<Double>?
) -> legato_status {
  controlling(stream) { stream in
    guard let value else { throw Failure.null("value") }
    let options = stream.options
    switch parameter {
    case LEGATO_TEMPERATURE: value.pointee = Double(options.temperature)
    case LEGATO_STEPS: value.pointee = Double(options.steps)
    case LEGATO_CONTEXT_NOISE: value.pointee = Double(options.contextNoise)
    case LEGATO_FEEDBACK_GAIN: value.pointee = Double(options.feedbackGain)
    default: throw Failure(LEGATO_ERROR_ARGUMENT, "there is no parameter \(parameter.rawValue)")
    }
  }
}

@_cdecl("legato_stream_set_seed")
public func streamSetSeed(_ stream: OpaquePointer?, _ seed: UInt64) -> legato_status {
  controlling(stream) { try $0.update { $0.seed = seed } }
}

@_cdecl("legato_stream_set_style")
public func streamSetStyle(_ stream: OpaquePointer?, _ name: UnsafePointer<CChar>?) -> legato_status {
  controlling(stream) { stream in
    let wanted = try name.flatMap { try style(named: $0, in: stream.package) }
    try stream.update { $0.style = wanted }
  }
}

// MARK: - Prompt, state, metrics

@_cdecl("legato_stream_prompt")
public func streamPrompt(
  _ stream: OpaquePointer?, _ channels: UnsafePointer<UnsafePointer<Float>?>?, _ frames: Int64,
  _ keepStyle: Int32
) -> legato_status {
  controlling(stream) { stream in
    guard let channels else { throw Failure.null("channels") }
    guard frames > 0, frames <= 1 << 32 else { throw Failure(LEGATO_ERROR_ARGUMENT, "frames is \(frames)") }
    let audio = try (0..<stream.channels).map { channel in
      guard let row = channels[channel] else { throw Failure.null("channels[\(channel)]") }
      return Array(UnsafeBufferPointer(start: row, count: Int(frames)))
    }
    try stream.prompt(audio, keepsStyle: keepStyle != 0)
  }
}

@_cdecl("legato_stream_save")
public func streamSave(
  _ stream: OpaquePointer?, _ buffer: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<Int>?
) -> legato_status {
  controlling(stream, LEGATO_ERROR_STATE) { stream in
    guard let size else { throw Failure.null("size") }
    let bytes = try stream.save().bytes
    guard let buffer, size.pointee >= bytes.count else {
      let hadBuffer = buffer != nil
      // A full ring more than waits now is enough at any time.
      size.pointee = bytes.count + stream.largestBlock * stream.channels * MemoryLayout<Float>.stride
      if !hadBuffer { return }
      throw Failure(
        LEGATO_ERROR_BUFFER, "the buffer is too small for the state; \(size.pointee) bytes are enough")
    }
    bytes.withUnsafeBytes {
      if let source = $0.baseAddress { buffer.copyMemory(from: source, byteCount: $0.count) }
    }
    size.pointee = bytes.count
  }
}

@_cdecl("legato_stream_restore")
public func streamRestore(_ stream: OpaquePointer?, _ state: UnsafeRawPointer?, _ size: Int) -> legato_status
{
  controlling(stream, LEGATO_ERROR_STATE) { stream in
    guard let state else { throw Failure.null("state") }
    guard size > 0 else { throw Failure(LEGATO_ERROR_ARGUMENT, "size is \(size)") }
    try stream.restore(
      RealtimeStream.Snapshot(bytes: Array(UnsafeRawBufferPointer(start: state, count: size))))
  }
}

@_cdecl("legato_stream_metrics_get")
public func streamMetrics(
  _ stream: OpaquePointer?, _ metrics: UnsafeMutablePointer<legato_stream_metrics>?
) -> legato_status {
  reporting {
    let stream = (try object(stream, "stream") as StreamHandle).stream
    let now = stream.metrics
    var value = legato_stream_metrics()
    value.frames = UInt64(now.frames)
    value.mean_frame_time = now.meanFrameTime
    value.longest_frame_time = now.longestFrameTime
    value.underruns = UInt64(now.underruns)
    value.missing_samples = UInt64(now.missingSamples)
    value.refused_pulls = UInt64(now.refusedPulls)
    value.waiting_samples = UInt64(max(0, now.waitingSamples))
    value.recoveries = UInt64(now.recoveries)
    value.limited_samples = UInt64(now.limitedSamples)
    value.memory = UInt64(now.memory.total)
    value.threads = Int32(stream.threads)
    value.has_priority = stream.hasPriority ? 1 : 0
    value.is_paused = stream.isPaused ? 1 : 0
    value.is_stopped = stream.isStopped ? 1 : 0
    value.failed_frames = UInt64(now.failedFrames)
    try fill(metrics, "metrics", with: value)
  }
}
