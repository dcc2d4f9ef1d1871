//! A glucopipe exporter in Zig, through the plain header: a summary of the glucose readings as JSON.
//!
//!     {"readings": 3, "unit": "mg/dL", "mean": 102.3, "below": 1, "in": 2, "above": 0}
//!
//! `below`, `in` and `above` count readings outside and inside 70 to 180 mg/dL (3.9 to 10.0 mmol/L). The file
//! appears whole or not at all: a temporary file beside it gets its name in commit.

const std = @import("std");
const gp = @cImport(@cInclude("glucopipe.h"));

const allocator = std.heap.c_allocator;

/// The target range in each unit.
const Target = struct { unit: []const u8, low: f64, high: f64 };
const targets = [_]Target{
    .{ .unit = "mg/dL", .low = 70, .high = 180 },
    .{ .unit = "mmol/L", .low = 3.9, .high = 10.0 },
};

const Counts = struct { readings: u64 = 0, sum: f64 = 0, below: u64 = 0, in: u64 = 0, above: u64 = 0 };

/// What a failure is for the host.
const Failure = struct { code: gp.gp_status, message: []const u8, key: bool = false };

// ---- texts and errors across the boundary ---------------------------------------------------------

fn releaseError(failed: ?*gp.gp_error) callconv(.c) void {
    const given = failed.?;
    std.c.free(@ptrCast(@constCast(given.message)));
    std.c.free(@ptrCast(@constCast(given.details)));
    given.message = null;
    given.details = null;
    given.release = null;
}

fn releaseString(string: ?*gp.gp_string) callconv(.c) void {
    std.c.free(@ptrCast(@constCast(string.?.data)));
    string.?.* = .{};
}

/// A copy for the host, which `free` releases.
fn copied(text: []const u8) ?[*:0]u8 {
    const room = std.c.malloc(text.len + 1) orelse return null;
    const bytes: [*]u8 = @ptrCast(room);
    @memcpy(bytes[0..text.len], text);
    bytes[text.len] = 0;
    return bytes[0..text.len :0].ptr;
}

fn fail(out: ?*gp.gp_error, failure: Failure) gp.gp_status {
    if (out) |given| {
        given.code = failure.code;
        given.message = copied(failure.message);
        given.details = if (failure.key) copied("{\"key\": \"path\"}") else null;
        given.release = releaseError;
    }
    return failure.code;
}

/// An error of the file system.
fn failFile(out: ?*gp.gp_error, what: []const u8, path: []const u8, cause: anyerror) gp.gp_status {
    var room: [512]u8 = undefined;
    const text = std.fmt.bufPrint(&room, "cannot {s} `{s}`: {s}", .{ what, path, @errorName(cause) });
    const denied = cause == error.AccessDenied or cause == error.PermissionDenied;
    const code: gp.gp_status = if (denied) gp.GP_E_ACCESS else gp.GP_E_IO;
    return fail(out, .{ .code = code, .message = text catch what });
}

// ---- columns of a batch ---------------------------------------------------------------------------

/// A column of text or of numbers; rows are those of the batch.
const Column = struct {
    array: *gp.ArrowArray,
    first: i64,
    dictionary: bool,

    fn find(schema: *gp.ArrowSchema, batch: *gp.ArrowArray, name: []const u8, format: []const u8) ?Column {
        for (0..@intCast(schema.n_children)) |index| {
            const field: *gp.ArrowSchema = schema.children[index];
            if (!std.mem.eql(u8, std.mem.span(field.name), name)) continue;
            const words: ?*gp.ArrowSchema = field.dictionary;
            const of = if (words) |inner| inner.format else field.format;
            if (!std.mem.eql(u8, std.mem.span(of), format)) return null;
            // The host's dictionaries have indices of 32 bits.
            if (words != null and !std.mem.eql(u8, std.mem.span(field.format), "i")) return null;
            const array: *gp.ArrowArray = batch.children[index];
            return .{ .array = array, .first = batch.offset + array.offset, .dictionary = words != null };
        }
        return null;
    }

    fn buffer(array: *gp.ArrowArray, index: usize, comptime T: type) [*]const T {
        return @ptrCast(@alignCast(array.buffers[index].?));
    }

    fn valid(array: *gp.ArrowArray, at: usize) bool {
        const bits: [*]const u8 = @ptrCast(array.buffers[0] orelse return true);
        return bits[at / 8] >> @intCast(at % 8) & 1 == 1;
    }

    fn number(self: Column, row: usize) f64 {
        return buffer(self.array, 1, f64)[row + @as(usize, @intCast(self.first))];
    }

    fn text(self: Column, row: usize) ?[]const u8 {
        var array = self.array;
        var at = row + @as(usize, @intCast(self.first));
        if (!valid(array, at)) return null;
        if (self.dictionary) {
            at = @intCast(buffer(array, 1, i32)[at] + array.dictionary.*.offset);
            array = array.dictionary;
            if (!valid(array, at)) return null;
        }
        const ends = buffer(array, 1, i32);
        const start: usize = @intCast(ends[at]);
        const end: usize = @intCast(ends[at + 1]);
        return if (start == end) "" else buffer(array, 2, u8)[start..end];
    }
};

// ---- the exporter ---------------------------------------------------------------------------------

const Sink = struct {
    path: []const u8,
    temporary: []const u8,
    counts: [targets.len]Counts = @splat(.{}),
    rows: u64 = 0,
    left_out: u64 = 0,

    /// Counts a batch; false when it lacks a column.
    fn count(self: *Sink, schema: *gp.ArrowSchema, batch: *gp.ArrowArray) bool {
        const kinds = Column.find(schema, batch, "kind", "u") orelse return false;
        const units = Column.find(schema, batch, "unit", "u") orelse return false;
        const values = Column.find(schema, batch, "value", "g") orelse return false;
        for (0..@intCast(batch.length)) |row| {
            self.rows += 1;
            const index = place(kinds.text(row) orelse "", units.text(row) orelse "") orelse {
                self.left_out += 1;
                continue;
            };
            const value = values.number(row);
            const counts = &self.counts[index];
            counts.readings += 1;
            counts.sum += value;
            if (value < targets[index].low) {
                counts.below += 1;
            } else if (value > targets[index].high) {
                counts.above += 1;
            } else counts.in += 1;
        }
        return true;
    }

    /// Where a reading is counted, if it is.
    fn place(kind: []const u8, unit: []const u8) ?usize {
        if (!std.mem.eql(u8, kind, "glucose")) return null;
        for (targets, 0..) |target, index| {
            if (std.mem.eql(u8, target.unit, unit)) return index;
        }
        return null;
    }

    fn format(self: *Sink) ![]u8 {
        var text = std.Io.Writer.Allocating.init(allocator);
        errdefer text.deinit();
        for (self.counts, targets) |counts, target| {
            if (counts.readings == 0) continue;
            const mean = counts.sum / @as(f64, @floatFromInt(counts.readings));
            try text.writer.print(
                "{{\"readings\": {d}, \"unit\": \"{s}\", \"mean\": {d:.1}, \"below\": {d}, \"in\": {d}, \"above\": {d}}}\n",
                .{ counts.readings, target.unit, mean, counts.below, counts.in, counts.above },
            );
        }
        return text.toOwnedSlice();
    }

    /// Writes the file and gives it its name, durably.
    fn write(self: *Sink, text: []const u8) !void {
        const work = std.fs.cwd();
        const above = std.fs.path.dirname(self.path) orelse ".";
        try work.makePath(above);
        {
            const file = try work.createFile(self.temporary, .{ .mode = 0o600, .exclusive = true });
            errdefer work.deleteFile(self.temporary) catch {};
            defer file.close();
            try file.writeAll(text);
            try file.sync();
            try work.rename(self.temporary, self.path);
        }
        // The file is there now: a folder that cannot be synced is no reason to say otherwise.
        var folder = work.openDir(above, .{ .iterate = true }) catch return;
        defer folder.close();
        _ = std.c.fsync(folder.fd);
    }

    fn free(self: *Sink) void {
        allocator.free(self.path);
        allocator.free(self.temporary);
        allocator.destroy(self);
    }

    fn of(raw: ?*gp.gp_sink) *Sink {
        return @ptrCast(@alignCast(raw.?));
    }
};

const Config = struct { path: []const u8 };

fn opened(config: []const u8) !*Sink {
    const parsed = try std.json.parseFromSlice(Config, allocator, config, .{});
    defer parsed.deinit();
    const given = parsed.value.path;
    // A name in C ends at its first NUL.
    if (given.len == 0 or std.mem.indexOfScalar(u8, given, 0) != null) return error.BadPath;
    const sink = try allocator.create(Sink);
    errdefer allocator.destroy(sink);
    const path = try allocator.dupe(u8, given);
    errdefer allocator.free(path);
    const number = std.crypto.random.int(u64);
    const folder = std.fs.path.dirname(path) orelse ".";
    const temporary = try std.fmt.allocPrint(allocator, "{s}/.glucopipe-{x}", .{ folder, number });
    sink.* = .{ .path = path, .temporary = temporary };
    return sink;
}

fn open(_: ?*const gp.gp_op, config: ?[*:0]const u8, out: ?*?*gp.gp_sink, failed: ?*gp.gp_error) callconv(.c) gp.gp_status {
    const sink = opened(std.mem.span(config orelse "")) catch |cause| return fail(failed, switch (cause) {
        error.OutOfMemory => .{ .code = gp.GP_E_INTERNAL, .message = "out of memory" },
        else => .{ .code = gp.GP_E_INVALID_ARGUMENT, .message = "`path` is missing or no text", .key = true },
    });
    out.?.* = @ptrCast(sink);
    return gp.GP_OK;
}

fn close(raw: ?*gp.gp_sink) callconv(.c) void {
    if (raw != null) Sink.of(raw).free();
}

fn write(raw: ?*gp.gp_sink, op: ?*const gp.gp_op, in: ?*gp.ArrowArrayStream, failed: ?*gp.gp_error) callconv(.c) gp.gp_status {
    const stream = in.?;
    defer stream.release.?(stream);
    var schema: gp.ArrowSchema = .{};
    if (stream.get_schema.?(stream, &schema) != 0) {
        return fail(failed, .{ .code = gp.GP_E_IO, .message = "the stream has no schema" });
    }
    defer schema.release.?(&schema);
    while (true) {
        if (op.?.cancelled.?(op) != 0) return fail(failed, .{ .code = gp.GP_E_CANCELLED, .message = "cancelled" });
        var batch: gp.ArrowArray = .{};
        const code = stream.get_next.?(stream, &batch);
        if (code != 0) {
            const stopped = code == @intFromEnum(std.posix.E.CANCELED);
            const status: gp.gp_status = if (stopped) gp.GP_E_CANCELLED else gp.GP_E_IO;
            return fail(failed, .{ .code = status, .message = "the stream of readings failed" });
        }
        const release = batch.release orelse return gp.GP_OK;
        defer release(&batch);
        if (!Sink.of(raw).count(&schema, &batch)) {
            return fail(failed, .{ .code = gp.GP_E_INTERNAL, .message = "the readings lack a column of reading/1" });
        }
    }
}

fn commit(raw: ?*gp.gp_sink, _: ?*const gp.gp_op, report: ?*gp.gp_string, failed: ?*gp.gp_error) callconv(.c) gp.gp_status {
    const sink = Sink.of(raw);
    const text = sink.format() catch return fail(failed, .{ .code = gp.GP_E_INTERNAL, .message = "out of memory" });
    defer allocator.free(text);
    sink.write(text) catch |cause| return failFile(failed, "write", sink.path, cause);
    const json = std.json.Stringify.valueAlloc(allocator, .{
        .delivered = sink.rows - sink.left_out,
        .left_out = sink.left_out,
        .bytes = text.len,
        .targets = .{sink.path},
    }, .{}) catch return fail(failed, .{ .code = gp.GP_E_INTERNAL, .message = "out of memory" });
    defer allocator.free(json);
    report.?.* = .{ .data = copied(json), .len = json.len, .release = releaseString };
    return gp.GP_OK;
}

const exporter: gp.gp_exporter = .{
    .struct_size = @sizeOf(gp.gp_exporter),
    .open = open,
    .close = close,
    .write = write,
    .commit = commit,
};

const component: gp.gp_component = .{
    .struct_size = @sizeOf(gp.gp_component),
    .kind = gp.GP_KIND_EXPORTER,
    .id = "summary",
    .about =
    \\{"name": "summary", "summary": "A summary of the glucose readings as JSON",
    \\ "config_schema": {"type": "object", "additionalProperties": false, "required": ["path"],
    \\ "properties": {"path": {"type": "string", "minLength": 1, "description": "The file to write."}}}}
    ,
    .table = &exporter,
};

fn componentAt(index: u32) callconv(.c) ?*const gp.gp_component {
    return if (index == 0) &component else null;
}

const plugin: gp.gp_plugin = .{
    .struct_size = @sizeOf(gp.gp_plugin),
    .abi_minor = gp.GP_ABI_MINOR,
    .name = "summary",
    .version = "0.1.0",
    .component = componentAt,
};

export fn gp_plugin_v1() callconv(.c) ?*const gp.gp_plugin {
    return &plugin;
}
